import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { execute } from "./cli.ts";

/** Five operations that change something, by the three kinds of functions of node:fs, and some that change nothing. */
const SCRIPT = `
  const fs = require("fs");
  (async () => {
    fs.readdirSync("."); fs.closeSync(fs.openSync("/dev/null", "r"));
    fs.mkdirSync("a");
    const fd = fs.openSync("a/new", "wx"); fs.writeSync(fd, "0123456789"); fs.closeSync(fd);
    await new Promise((done) => fs.rename("a/new", "a/old", done));
    await fs.promises.unlink("a/old");
    console.log("end");
  })();`;

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "kill-at-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function run(env: Record<string, string>) {
  const preload = ["-r", resolve(import.meta.dirname, "kill-at.cjs"), "-e", SCRIPT];
  return execute(process.execPath, preload, { cwd: folder, env });
}

test("counts what changes something, and nothing else", async () => {
  const count = join(folder, "count");
  expect(await run({ KILL_COUNT: count })).toMatchObject({ code: 0, stdout: "end\n" });
  expect(readFileSync(count, "utf8")).toBe("5");
});

test.each([
  [1, []],
  [2, ["a"]],
  [3, ["a", "a/new"]],
  [4, ["a", "a/new"]],
  [5, ["a", "a/old"]],
])("kills before operation %i", async (k, there) => {
  expect(await run({ KILL_AT: String(k) })).toMatchObject({ signal: "SIGKILL", stdout: "" });
  expect(["a", "a/new", "a/old"].filter((path) => existsSync(join(folder, path)))).toEqual(there);
});

test("kills halfway through a write", async () => {
  expect(await run({ KILL_AT: "3", KILL_HALFWAY: "1" })).toMatchObject({ signal: "SIGKILL" });
  expect(readFileSync(join(folder, "a/new"), "utf8")).toBe("01234");
});

test("does nothing past the last operation", async () => {
  expect(await run({ KILL_AT: "6" })).toMatchObject({ code: 0, signal: null });
});
