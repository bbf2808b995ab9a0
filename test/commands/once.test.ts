import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runRestore } from "../../src/commands/restore.ts";
import type { Context } from "../../src/context.ts";
import { testContext } from "../helpers/context.ts";

/** What is the same for every config is done once, however many there are. */

/** The context, and how often a file was looked at or read whose path ends so. */
function counting(context: Context): { context: Context; touched: (end: string) => number } {
  const paths: string[] = [];
  const { files } = context;
  const noting: Context["files"] = {
    ...files,
    look: (path) => (paths.push(path), files.look(path)),
    read: (path) => (paths.push(path), files.read(path)),
    readIfExists: (path) => (paths.push(path), files.readIfExists(path)),
  };
  return {
    context: { ...context, files: noting },
    touched: (end) => paths.filter((path) => path.endsWith(end)).length,
  };
}

test("twenty configs that are named cost one search for those of clients, and one look at the key", async () => {
  const counts = [];
  for (const count of [2, 20]) {
    using user = testContext();
    const configs = Array.from({ length: count }, (_, index) => {
      const path = join(user.folder, `${index}.json`);
      const env = { API_KEY: `k3J9sQ2vXw7Lm4Np8Rt${index}` };
      writeFileSync(path, JSON.stringify({ mcpServers: { one: { command: "x", env } } }));
      return path;
    });
    mkdirSync(join(user.folder, ".config/Claude"), { recursive: true });
    const migrating = counting(user.context);
    expect(await runMigrate(migrating.context, { config: configs, store: "local", yes: true })).toBe(0);
    const restoring = counting(user.context);
    expect(await runRestore(restoring.context, { config: configs, yes: true })).toBe(0);
    const searches = [migrating, restoring].map(({ touched }) => touched("claude_desktop_config.json"));
    counts.push([...searches, migrating.touched("local/identity")]);
  }
  expect(counts[1]).toEqual(counts[0]);
});
