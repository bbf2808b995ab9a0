import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadCode } from "../../src/io/code.ts";

const require = createRequire(import.meta.url);

interface Chunk extends Disposable {
  readonly path: string;
  readonly cache: string;
}

function chunkOf(source: string): Chunk {
  const folder = mkdtempSync(join(tmpdir(), "mcps-code-"));
  const path = join(folder, "chunk.cjs");
  writeFileSync(path, source);
  return { path, cache: `${path}.cache`, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

test("what was compiled is kept once, private, and run from there", () => {
  using chunk = chunkOf("exports.answer = () => 41 + 1; exports.again = require('node:path').sep;");
  const first = loadCode(chunk.path, require);
  expect(Reflect.get(first.exports, "answer")()).toBe(42);
  first.keep();
  const { ino, mode } = statSync(chunk.cache);
  expect(mode & 0o077).toBe(0);
  const second = loadCode(chunk.path, require);
  expect(Reflect.get(second.exports, "answer")()).toBe(42);
  expect(Reflect.get(second.exports, "again")).toBe("/");
  second.keep();
  expect(statSync(chunk.cache).ino).toBe(ino);
  expect(readdirSync(join(chunk.path, ".."))).toEqual(["chunk.cjs", "chunk.cjs.cache"]);
});

test.each([
  ["of another source of the same length", (kept: Buffer) => kept, "exports.answer = 2;"],
  ["cut short", (kept: Buffer) => kept.subarray(0, kept.length / 2), "exports.answer = 1;"],
  ["empty", () => Buffer.alloc(0), "exports.answer = 1;"],
  [
    "damaged",
    (kept: Buffer) => Buffer.from(kept.map((byte, at) => (at > 40 ? byte ^ 0xff : byte))),
    "exports.answer = 1;",
  ],
])("what was kept is not used where it is %s", (_, damage, source) => {
  using chunk = chunkOf("exports.answer = 1;");
  loadCode(chunk.path, require).keep();
  writeFileSync(chunk.cache, damage(readFileSync(chunk.cache)));
  writeFileSync(chunk.path, source);
  const { exports, keep } = loadCode(chunk.path, require);
  expect(Reflect.get(exports, "answer")).toBe(source.includes("2") ? 2 : 1);
  keep();
  expect(Reflect.get(loadCode(chunk.path, require).exports, "answer")).toBe(source.includes("2") ? 2 : 1);
});
