import { expect, test } from "vitest";
import type { Report } from "../../src/commands/rotate-one.ts";
import { exitOfReport, reportJson, reportTable } from "../../src/commands/rotate-report.ts";
import { unreachable } from "../../src/rotate/targets/failure.ts";
import { published } from "../helpers/schema.ts";

const ref = { store: "local", path: "db/app" };
const about = { reference: "mcp-secret://local/db/app", target: "command", restart: [], news: true, damaged: false };

test.each([
  ["later", 75],
  ["adminRefused", 77],
] as const)("an old value that could not be ended (%s) is no rotation that came to nothing", (type, exit) => {
  const outcome = { type, reason: "it does not answer", oldValidSince: Date.UTC(2026, 10, 25) };
  const report: Report = { ...about, outcome };
  expect(reportTable([report])).toContain("rotated, the old value lives on");
  expect(exitOfReport(report)).toBe(exit);
  const line = { outcome: type, reason: "it does not answer", oldValidSince: "2026-11-25T00:00:00.000Z" };
  expect(published("rotate", reportJson(report))).toMatchObject(line);
});

test("nobody is told that nothing was changed by who cannot know", () => {
  expect(unreachable(ref, "it does not answer").hint).not.toMatch(/nothing|changed/);
});
