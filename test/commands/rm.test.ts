import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runRm } from "../../src/commands/rm.ts";
import { Secret } from "../../src/core/secret.ts";
import { openStore } from "../../src/stores.ts";
import { type TestContext, testContext } from "../helpers/context.ts";
import { withTerminal } from "../helpers/terminal.ts";

const REF = "mcp-secret://local/a/b";

let at: TestContext;
beforeEach(async () => {
  at = testContext();
  await (await openStore(at.context, "local")).put?.("a/b", { value: new Secret("x") }, { ifVersion: 0 });
});
afterEach(() => at[Symbol.dispose]());

const isThere = async () => (await (await openStore(at.context, "local")).describe?.("a/b")) !== undefined;

test.each(["y", "Yes", " YES "])("the user says %j", async (typed) => {
  expect(await runRm(withTerminal(at.context, { typed: [typed] }), REF, {})).toBe(0);
  expect(await isThere()).toBe(false);
  expect(at.taken().out).toBe(`${REF} is removed\n`);
  const log = readFileSync(join(at.context.home, "audit/audit.jsonl"), "utf8");
  expect(JSON.parse(log)).toMatchObject({ event: "removed", outcome: "ok", refs: [REF] });
});

test.each(["n", "", "yellow", undefined])("the user says %j: it stays", async (typed) => {
  expect(await runRm(withTerminal(at.context, { typed: [typed] }), REF, {})).toBe(0);
  expect(await isThere()).toBe(true);
});

test("nobody is there to ask: only with --yes", async () => {
  const hint = `mcp-secrets rm ${REF} --yes`;
  await expect(runRm(at.context, REF, {})).rejects.toMatchObject({ exit: 64, hint });
  expect(await isThere()).toBe(true);
  expect(await runRm(at.context, REF, { yes: true })).toBe(0);
  expect(await isThere()).toBe(false);
});

test("what is not there", async () => {
  await expect(runRm(at.context, `${REF}c`, { yes: true })).rejects.toMatchObject({
    code: "secret-not-found",
    exit: 69,
    hint: "mcp-secrets list",
  });
});

test("a field alone cannot be removed", async () => {
  await expect(runRm(at.context, `${REF}#value`, { yes: true })).rejects.toMatchObject({
    code: "usage",
    hint: `mcp-secrets rm ${REF}`,
  });
  expect(await isThere()).toBe(true);
});

test("a damaged secret can be removed", async () => {
  writeFileSync(join(at.context.home, "local/secrets/a/b.age"), "x");
  expect(await runRm(at.context, REF, { yes: true })).toBe(0);
  expect(await isThere()).toBe(false);
});
