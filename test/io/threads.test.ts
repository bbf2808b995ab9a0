import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startThreads } from "../../src/io/threads.ts";

let folder: string;
beforeEach(() => (folder = realpathSync(mkdtempSync(join(tmpdir(), "mcps-threads-")))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(code: string): string {
  const file = join(folder, "thread.cjs");
  writeFileSync(file, `const { parentPort } = require("node:worker_threads");\n${code}`);
  return file;
}

test("each thread answers every question, in the order in which it was asked", async () => {
  const threads = startThreads(program("parentPort.on('message', (n) => parentPort.postMessage(n * 2));"), 3);
  expect(threads).toHaveLength(3);
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  const answers = await Promise.all(numbers.map(async (n) => threads[n % 3]?.ask(n)));
  expect(answers).toEqual(numbers.map((n) => n * 2));
});

test("there are no more than four, and none where they could not run beside us", () => {
  const file = program("parentPort.on('message', () => {});");
  expect(startThreads(file, 64)).toHaveLength(4);
  expect(startThreads(file, 1)).toEqual([]);
  expect(startThreads(join(folder, "missing.cjs"), 4)).toEqual([]);
});

test("a thread that throws or ends fails all that it was asked, and what it is asked later", async () => {
  for (const code of ["throw new Error('no');", "process.exit(3);"]) {
    const [thread] = startThreads(program(`parentPort.on("message", () => { ${code} });`), 2);
    const asked = await Promise.allSettled([thread?.ask(1), thread?.ask(2)]);
    expect(asked.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(thread?.ask(3)).rejects.toThrow(code.startsWith("throw") ? "no" : "ended");
  }
});

test("a thread gets nothing of our environment", async () => {
  const [thread] = startThreads(
    program("parentPort.on('message', () => parentPort.postMessage(Object.keys(process.env)));"),
    2,
  );
  expect(await thread?.ask("names")).toEqual([]);
});
