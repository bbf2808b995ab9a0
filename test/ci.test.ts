import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { execute } from "./helpers/cli.ts";

const folder = mkdtempSync(join(tmpdir(), "ci-"));
afterAll(() => rmSync(folder, { recursive: true }));

const none = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, success: true };

test.each([
  [
    "all passed",
    { ...none, numPassedTests: 7, numPendingTests: 2, numTodoTests: 1 },
    "7 passed, 0 failed, 3 skipped",
    0,
  ],
  [
    "some failed",
    { ...none, numPassedTests: 7, numFailedTests: 2, success: false },
    "7 passed, 2 failed, 0 skipped",
    1,
  ],
  ["a file did not load", { ...none, numPassedTests: 7, success: false }, "7 passed, 1 failed, 0 skipped", 1],
  ["no test ran", none, "0 passed, 0 failed, 0 skipped", 1],
  ["no report", undefined, "0 passed, 1 failed, 0 skipped", 1],
])("the last line of CI where %s", async (_, report, line, code) => {
  const file = join(folder, "report.json");
  rmSync(file, { force: true });
  if (report !== undefined) writeFileSync(file, JSON.stringify(report));
  const done = await execute(process.execPath, [".ci/count.mjs", file], { env: {} });
  expect([done.stdout, done.code]).toEqual([`${line}\n`, code]);
});
