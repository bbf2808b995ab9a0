import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runGet } from "../../src/commands/get.ts";
import { Secret } from "../../src/core/secret.ts";
import { openStore } from "../../src/stores.ts";
import { type TestContext, testContext } from "../helpers/context.ts";
import { withTerminal } from "../helpers/terminal.ts";

let at: TestContext;
beforeEach(async () => {
  at = testContext();
  const fields = { value: new Secret("canary"), user: new Secret("app\n") };
  await (await openStore(at.context, "local")).put?.("a", fields, { ifVersion: 0 });
});
afterEach(() => at[Symbol.dispose]());

const recorded = () => JSON.parse(readFileSync(join(at.context.home, "audit/audit.jsonl"), "utf8")) as object;

test("a terminal gets the value and a line end", async () => {
  expect(await runGet(withTerminal(at.context, { outIsTty: true }), "mcp-secret://local/a", {})).toBe(0);
  expect(at.taken()).toEqual({ out: "canary\n", err: "" });
  expect(recorded()).toMatchObject({ event: "shown", outcome: "ok", refs: ["mcp-secret://local/a"] });
});

test("a pipe gets nothing", async () => {
  await expect(runGet(at.context, "mcp-secret://local/a", {})).rejects.toMatchObject({
    code: "refused",
    exit: 77,
    hint: "mcp-secrets get mcp-secret://local/a --force-stdout",
  });
  expect(at.taken()).toEqual({ out: "", err: "" });
  expect(recorded()).toMatchObject({ event: "shown", outcome: "denied", code: "refused" });
});

test("with --force-stdout a pipe gets the value, and not a byte more", async () => {
  expect(await runGet(at.context, "mcp-secret://local/a#user", { forceStdout: true })).toBe(0);
  expect(at.taken().out).toBe("app\n");
});

test.each(["mcp-secret://local/b", "mcp-secret://local/a#no"])("%s is not there", async (ref) => {
  await expect(runGet(at.context, ref, { forceStdout: true })).rejects.toMatchObject({
    code: "secret-not-found",
    exit: 69,
  });
});

test("what cannot be recorded is not shown", async () => {
  const append = () => {
    throw Object.assign(new Error("disk full"), { code: "ENOSPC" });
  };
  const context = { ...at.context, files: { ...at.context.files, append } };
  await expect(runGet(context, "mcp-secret://local/a", { forceStdout: true })).rejects.toMatchObject({
    code: "cannot-write",
  });
  expect(at.taken().out).toBe("");
});
