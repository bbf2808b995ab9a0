import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFiles } from "../../src/io/files.ts";
import { configState, isWorkDue, noteStarted, writeDue } from "../../src/rotate/due.ts";
import { startDueWork, type TriggerPlace } from "../../src/rotate/trigger.ts";
import { random } from "../helpers/local-store.ts";

const NOW = 1_000_000;

function place(config?: string) {
  const home = mkdtempSync(join(tmpdir(), "mcps-due-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const write = (text: string) => writeFileSync(join(home, "config.jsonc"), text);
  if (config !== undefined) write(config);
  return { home, write, files: createFiles({ platform: process.platform, random }) };
}

test("without settings nothing is ever due, and nothing is written", () => {
  const at = place();
  expect(isWorkDue(at, NOW)).toBe(false);
  writeDue(at, configState(at), 0, 0);
  expect(isWorkDue(at, NOW)).toBe(false);
});

test("settings that nobody has looked at are due, and so is each change of them", () => {
  const at = place("{}");
  expect(isWorkDue(at, NOW)).toBe(true);
  writeDue(at, configState(at), undefined, 0);
  expect(isWorkDue(at, NOW)).toBe(false);
  at.write("{ }");
  expect(isWorkDue(at, NOW)).toBe(true);
});

test("then when it was said", () => {
  const at = place("{}");
  writeDue(at, configState(at), NOW, 0);
  expect([NOW - 1, NOW].map((now) => isWorkDue(at, now))).toEqual([false, true]);
});

test("what was computed in the future is looked at again: the clock was wrong", () => {
  const at = place("{}");
  writeDue(at, configState(at), NOW + 5000, NOW + 1000);
  expect([NOW, NOW + 1000].map((now) => isWorkDue(at, now))).toEqual([true, false]);
});

test("damage means a look, and no error", () => {
  const at = place("{}");
  mkdirSync(join(at.home, "rotation"));
  for (const text of ["", "garbage", "\0\0"]) {
    writeFileSync(join(at.home, "rotation", "due"), text);
    expect(isWorkDue(at, NOW)).toBe(true);
  }
});

test("who starts the work keeps the others away, for a while", () => {
  const at = place("{}");
  noteStarted(at, NOW);
  expect(isWorkDue(at, NOW + 1000)).toBe(false);
  expect(isWorkDue(at, NOW + 3_600_000)).toBe(true);
});

test("a launch starts it once, in a shell that gets paths and no environment, and never fails for it", async () => {
  const at = place("{}");
  const scripts: string[] = [];
  const detach = (script: string) => {
    scripts.push(script);
    return Promise.resolve();
  };
  const launch: TriggerPlace = {
    ...at,
    platform: "linux",
    userHome: "/home/it's",
    now: () => NOW,
    self: ["/node", "/launcher.cjs"],
    loadProcesses: () => Promise.resolve({ detach }),
  };
  await startDueWork(launch);
  await startDueWork(launch);
  expect(scripts).toHaveLength(1);
  expect(scripts[0]).toContain(
    `exec /usr/bin/env 'HOME=/home/it'\\''s' 'MCPS_HOME=${at.home}' 'MCPS_BY_LAUNCH=1' '/node' '/launcher.cjs' 'rotate' '--due'`,
  );
  const broken = { ...launch, now: () => NOW + 3_600_000, loadProcesses: () => Promise.reject(new Error("no")) };
  await expect(startDueWork(broken)).resolves.toBeUndefined();
  await startDueWork({ ...launch, platform: "win32", now: () => NOW + 9_000_000 });
  expect(scripts).toHaveLength(1);
});
