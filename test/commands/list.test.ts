import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runList } from "../../src/commands/list.ts";
import { Secret } from "../../src/core/secret.ts";
import { openStore } from "../../src/stores.ts";
import { type TestContext, testContext } from "../helpers/context.ts";

const NOW = Date.UTC(2026, 0, 10);
const DAY = 86_400_000;

let at: TestContext;
beforeEach(() => (at = testContext()));
afterEach(() => at[Symbol.dispose]());

async function put(path: string, age: number, ...names: string[]): Promise<void> {
  const store = await openStore({ ...at.context, now: () => NOW - age }, "local");
  await store.put?.(path, Object.fromEntries(names.map((name) => [name, new Secret("canary")])), { ifVersion: 0 });
}

const list = (json = false) => runList({ ...at.context, now: () => NOW }, { json });

test("an empty store", async () => {
  expect(await list()).toBe(0);
  expect(at.taken().out).toBe("nothing is stored\n");
  expect(await list(true)).toBe(0);
  expect(JSON.parse(at.taken().out)).toEqual({ schema: "mcp-secrets/list/1", secrets: [] });
});

test("a table without values", async () => {
  await put("github/token", 3 * DAY + 1, "value");
  await put("db", 90_000, "user", "password");
  await put("new", -5, "value");
  await put("hours", 2 * 3_600_000, "value");
  expect(await list()).toBe(0);
  expect(at.taken().out.split("\n")).toEqual([
    "REFERENCE                        FIELDS         VERSION  AGE",
    "mcp-secret://local/db            password user  1        1 min",
    "mcp-secret://local/github/token  value          1        3 d",
    "mcp-secret://local/hours         value          1        2 h",
    "mcp-secret://local/new           value          1        0 s",
    "",
  ]);
});

test("JSON for scripts", async () => {
  await put("db", DAY, "user", "password");
  expect(await list(true)).toBe(0);
  expect(JSON.parse(at.taken().out)).toEqual({
    schema: "mcp-secrets/list/1",
    secrets: [
      {
        reference: "mcp-secret://local/db",
        fields: ["password", "user"],
        version: 1,
        updatedAt: "2026-01-09T00:00:00.000Z",
      },
    ],
  });
});

test("what is damaged is named among the others, and the exit code tells", async () => {
  await put("a", 0, "value");
  await put("b", 0, "value");
  writeFileSync(join(at.context.home, "local/secrets/a.age"), "x");
  expect(await list()).toBe(1);
  expect(at.taken().out).toMatch(/local\/a +\(mcp-secret:\/\/local\/a is damaged: .*\)\n.*local\/b +value/);
  expect(await list(true)).toBe(1);
  expect(JSON.parse(at.taken().out)).toMatchObject({
    secrets: [
      { reference: "mcp-secret://local/a", problem: expect.stringContaining("damaged") as string },
      { version: 1 },
    ],
  });
});
