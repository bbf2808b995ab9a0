import { expect, test } from "vitest";
import { lastOf } from "../../src/commands/rotate-last.ts";
import type { Standing } from "../../src/commands/rotate-standing.ts";
import { retryTime } from "../../src/rotate/outcome.ts";
import { parseRef } from "../../src/core/ref.ts";
import type { LastRotation, RotationStatus } from "../../src/rotate/outcome.ts";
import type { RunNote } from "../../src/rotate/runs.ts";

const NOW = Date.parse("2026-11-25T12:00Z");
const HOUR = 3_600_000;
const ref = parseRef("mcp-secret://local/db/app");

function standing(status: Partial<RotationStatus>, more: Partial<Standing> = {}): Standing {
  return {
    secret: { ref, target: "postgresql", grace: 0, settings: {} },
    status: { phase: "idle", ...status },
    ...more,
  };
}

function ended(result: LastRotation["result"], ago: number, reason?: string): LastRotation {
  return { id: "x", at: NOW - ago, result, ...(reason !== undefined && { reason }) };
}

function run(outcome: string, exit: number, ago: number): RunNote {
  return { at: new Date(NOW - ago).toISOString(), outcome, exit, reason: "why" };
}

test("nothing is known of a secret that nothing happened to", () => {
  expect(lastOf(standing({ phase: "none" }), NOW)).toBeUndefined();
});

test("a run that failed before the journal was written is the last, until a rotation comes to an end", () => {
  const last = ended("rotated", HOUR);
  expect(lastOf(standing({ last }, { run: run("failed", 65, 60_000) }), NOW)).toEqual({
    at: NOW - 60_000,
    what: "failed",
    reason: "why",
    isGood: false,
  });
  expect(lastOf(standing({ last }, { run: run("failed", 65, 2 * HOUR) }), NOW)).toMatchObject({ what: "rotated" });
});

test("what a run has written into the journal is told from there, with how often it failed", () => {
  const last = { ...ended("rolledBack", 1000, "it lacked write"), failures: 3 };
  expect(lastOf(standing({ last }, { run: run("rolledBack", 1, 900) }), NOW)).toMatchObject({
    what: "rolledBack",
    reason: "it lacked write",
    failures: 3,
  });
});

test("a new value that is current is rotated, whatever came before, and wherever it was done", () => {
  const last = ended("rolledBack", HOUR);
  const promotedAt = NOW - 4000;
  for (const phase of ["promoted", "draining", "retiring"] as const) {
    expect(lastOf(standing({ phase, last, promotedAt }), NOW)).toMatchObject({ what: "rotated", isGood: true });
  }
  // The end of the old one failed since.
  const failing = standing({ phase: "retiring", last, promotedAt: NOW - HOUR }, { run: run("later", 75, 0) });
  expect(lastOf(failing, NOW)).toMatchObject({ what: "later", isGood: false });
});

test("a store's own engine tells, or else the run that asked it", () => {
  const secret = { ref, target: "native", grace: 0, settings: {} };
  expect(lastOf(standing({}, { secret, madeAt: NOW - HOUR }), NOW)).toMatchObject({ what: "rotated", at: NOW - HOUR });
  expect(lastOf(standing({}, { secret, run: run("rotated", 0, HOUR) }), NOW)).toMatchObject({ what: "rotated" });
});

test("what is from the future hides nothing that happened since", () => {
  const last = ended("rotated", -30 * 24 * HOUR);
  expect(lastOf(standing({ last }, { run: run("failed", 69, 1000) }), NOW)).toMatchObject({ what: "failed" });
});

test("a failure from the future keeps nothing from being tried again", () => {
  const last = ended("rolledBack", 1000);
  expect(retryTime(undefined, NOW)).toBe(0);
  expect(retryTime(last, NOW)).toBe(0);
  expect(retryTime({ ...last, retryAt: NOW + HOUR }, NOW)).toBe(NOW + HOUR);
  const jumped = ended("rolledBack", -2 * HOUR);
  expect(retryTime({ ...jumped, retryAt: NOW + 3 * HOUR }, NOW)).toBe(0);
});
