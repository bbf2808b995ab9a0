import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runRestore } from "../../src/commands/restore.ts";
import { Secret } from "../../src/core/secret.ts";
import { openStore } from "../../src/stores.ts";
import { type TestContext, testContext } from "../helpers/context.ts";

let at: TestContext;
beforeEach(() => (at = testContext()));
afterEach(() => at[Symbol.dispose]());

const servers = Object.fromEntries(
  Array.from({ length: 5 }, (_, index) => [
    `s${index}`,
    { command: "node", env: { API_KEY: `sk-live-restore-canary-${index}` } },
  ]),
);

test("of many secrets those with newer values are told, one that is gone hides none, and the store is opened once", async () => {
  const config = join(at.folder, "config.json");
  writeFileSync(config, JSON.stringify({ mcpServers: servers }));
  const original = readFileSync(config);
  expect(await runMigrate(at.context, { config: [config], yes: true })).toBe(0);
  const store = await openStore(at.context, "local");
  await store.put?.("s1/API_KEY", { value: new Secret("newer-canary") }, { ifVersion: 1 });
  await store.remove?.("s3/API_KEY");
  at.taken();

  let identities = 0;
  const files = { ...at.context.files };
  files.readIfExists = (path) => {
    if (path.endsWith("/local/identity")) identities += 1;
    return at.context.files.readIfExists(path);
  };
  expect(await runRestore({ ...at.context, files }, { config: [config], yes: true })).toBe(0);
  expect(readFileSync(config)).toEqual(original);
  const { err } = at.taken();
  expect(err.match(/newer value of \S+/g)).toEqual(["newer value of mcp-secret://local/s1/API_KEY"]);
  // Once for the backup and once for the store.
  expect(identities).toBe(2);
});
