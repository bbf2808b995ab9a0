import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runSet } from "../../src/commands/set.ts";
import { Secret } from "../../src/core/secret.ts";
import { openStore } from "../../src/stores.ts";
import { type TestContext, testContext } from "../helpers/context.ts";
import { withTerminal } from "../helpers/terminal.ts";

let at: TestContext;
beforeEach(() => (at = testContext()));
afterEach(() => at[Symbol.dispose]());

const set = (ref: string, stdin: string | Buffer) => runSet(withTerminal(at.context, { stdin }), ref);

async function fields(path: string): Promise<Record<string, string>> {
  const values = await (await openStore(at.context, "local")).readAll?.();
  const found = values?.filter((stored) => stored.path === path) ?? [];
  return Object.fromEntries(found.map(({ field, value }) => [field, value.expose()]));
}

test.each([
  ["as it comes", "p@ss word", "p@ss word"],
  ["without the line end that echo adds", "value\n", "value"],
  ["without a Windows one", "value\r\n", "value"],
  ["but of several only the last", "line\nline\n\n", "line\nline\n"],
  ["with blanks", "  x \t", "  x \t"],
  ["with a byte order mark", "\uFEFFx", "\uFEFFx"],
])("a value is stored %s", async (_, stdin, stored) => {
  expect(await set("mcp-secret://local/a/b", stdin)).toBe(0);
  expect(await fields("a/b")).toEqual({ value: stored });
  expect(at.taken()).toEqual({ out: "mcp-secret://local/a/b is stored, version 1\n", err: "" });
});

test.each([
  ["nothing", "", "no value"],
  ["an empty line", "\n", "no value"],
  ["a NUL", "a\0b", "NUL"],
  ["bytes that are no UTF-8", Buffer.from([0x63, 0x61, 0x6e, 0x61, 0x72, 0x79, 0xff]), "UTF-8"],
  ["more than an environment holds", "canary".repeat(30_000), "128 KiB"],
])("%s is refused, and nothing is made", async (_, stdin, reason) => {
  const failure = await set("mcp-secret://local/a", stdin).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "usage", exit: 64, message: expect.stringContaining(reason) as string });
  expect(String(failure)).not.toContain("canary");
  expect(existsSync(at.context.home)).toBe(false);
});

test("the other fields stay", async () => {
  await set("mcp-secret://local/db#user", "app");
  await set("mcp-secret://local/db#password", "one");
  await set("mcp-secret://local/db#password", "two");
  expect(await fields("db")).toEqual({ user: "app", password: "two" });
  expect(at.taken().out).toContain("mcp-secret://local/db#password is stored, version 3\n");
});

test("on a terminal the value is asked for, without echo", async () => {
  await runSet(withTerminal(at.context, { typed: ["typed"] }), "mcp-secret://local/a");
  expect(await fields("a")).toEqual({ value: "typed" });
  const silent = runSet(withTerminal(at.context, { typed: [undefined] }), "mcp-secret://local/a");
  await expect(silent).rejects.toMatchObject({ code: "usage" });
});

test("fields that many writers set at once are all there", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `f${index}`);
  await Promise.all(names.map((name) => set(`mcp-secret://local/shared#${name}`, name)));
  expect(await fields("shared")).toEqual(Object.fromEntries(names.map((name) => [name, name])));
});

test("it is recorded, without the value", async () => {
  await set("mcp-secret://local/a", "canary");
  const log = readFileSync(join(at.context.home, "audit/audit.jsonl"), "utf8");
  expect(JSON.parse(log)).toMatchObject({ event: "stored", outcome: "ok", refs: ["mcp-secret://local/a"] });
  expect(log).not.toContain("canary");
});

test.each([
  ["github", 64],
  ["mcp-secret://local/", 64],
  ["mcp-secret://other/a", 65],
])("%s is no place to store to", async (ref, exit) => {
  await expect(set(ref, "x")).rejects.toMatchObject({ exit });
});

test("a value that was typed for a reference is not repeated", async () => {
  await expect(set("canary-value", "x")).rejects.toMatchObject({ message: expect.not.stringContaining("canary") });
});

test("another field is not lost to a writer that comes between", async () => {
  const provider = await openStore(at.context, "local");
  await provider.put?.("a", { one: new Secret("1") }, { ifVersion: 0 });
  const context = withTerminal(at.context, { stdin: "2" });
  let once = true;
  const files = {
    ...context.files,
    readIfExists: (path: string) => {
      const read = context.files.readIfExists(path);
      if (once && path.endsWith("a.age")) {
        once = false;
        // It holds the lock from this moment on.
        void provider.put?.("a", { one: new Secret("1"), three: new Secret("3") }, { ifVersion: 1 });
      }
      return read;
    },
  };
  await runSet({ ...context, files }, "mcp-secret://local/a#two");
  expect(await fields("a")).toEqual({ one: "1", two: "2", three: "3" });
});
