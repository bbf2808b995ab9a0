import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFiles } from "../../src/io/files.ts";
import { createLock } from "../../src/io/locks.ts";
import { noteRuns, readRuns, type RunNote } from "../../src/rotate/runs.ts";
import { random } from "../helpers/local-store.ts";

function home() {
  const folder = mkdtempSync(join(tmpdir(), "mcps-runs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const lock = createLock({ pid: process.pid, now: Date.now, random });
  return { home: folder, lock, files: createFiles({ platform: process.platform, random }) };
}

const note = (exit: number): RunNote => ({ at: "2026-11-25T12:00:00.000Z", outcome: "failed", exit, reason: "why" });

test("the last run of each secret is kept, of those that are still meant", async () => {
  const at = home();
  expect(readRuns(at).size).toBe(0);
  await noteRuns(
    at,
    new Map([
      ["a", note(65)],
      ["b", note(69)],
      ["c", note(1)],
    ]),
    new Set(),
  );
  await noteRuns(at, new Map([["a", note(75)]]), new Set(["b"]));
  expect(Object.fromEntries(readRuns(at))).toEqual({ a: note(75), b: note(69) });
});

test.each(["", "{", `{"v":1,"secrets":{"a":{"at":"x"}}}`, `{"v":2,"secrets":{}}`])(
  "a damaged file counts as nothing, and is replaced: %s",
  async (text) => {
    const at = home();
    mkdirSync(join(at.home, "rotation"));
    writeFileSync(join(at.home, "rotation", "runs.json"), text);
    expect(readRuns(at).size).toBe(0);
    await noteRuns(at, new Map([["a", note(65)]]), new Set());
    expect([...readRuns(at)]).toEqual([["a", note(65)]]);
  },
);

test("where it cannot be written, the work is done all the same", async () => {
  const at = home();
  writeFileSync(join(at.home, "rotation"), "a file");
  await expect(noteRuns(at, new Map([["a", note(65)]]), new Set())).resolves.toBeUndefined();
});
