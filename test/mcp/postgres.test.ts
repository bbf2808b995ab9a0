import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { expect, test } from "vitest";
import { makeHome } from "../helpers/cli.ts";
import { entryOf, migrated } from "../helpers/migrated.ts";
import { watchTree } from "../helpers/proc.ts";
import { startPostgres } from "../servers/postgres.ts";

const PASSWORD = "p@ss#w%rd/1-canary";
const SERVER = resolve("node_modules/@modelcontextprotocol/server-postgres/dist/index.js");
const ON_LINUX = process.platform === "linux";

test("server-postgres logs in to a real PostgreSQL, and the process list never shows the password", async ({
  skip,
}) => {
  await using postgres = await startPostgres(PASSWORD);
  if (postgres === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
  using home = makeHome();
  const { user, port } = postgres;
  const url = `postgresql://${user}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`;
  // The package's name is what migrate knows the server by.
  const bin = resolve("node_modules/.bin/mcp-server-postgres");
  const entry = entryOf(await migrated(home, { db: { command: bin, args: [url] } }), "db");
  expect(entry.env).toEqual({ PGPASSWORD: "mcp-secret://local/db/password" });
  expect(entry.args.at(-1)).toBe(`postgresql://${user}@127.0.0.1:${port}/postgres`);

  const client = new Client({ name: "test", version: "1" });
  const transport = new StdioClientTransport({
    ...entry,
    env: { ...home.env, ...entry.env },
    cwd: home.work,
    stderr: "inherit",
  });
  const connecting = client.connect(transport);
  const watch = ON_LINUX ? watchTree(transport.pid ?? -1) : undefined;
  await connecting;
  const result = await client.callTool({ name: "query", arguments: { sql: "select current_user as who" } });
  const words = watch?.stop() ?? [];
  await client.close();

  expect(result).toMatchObject({ content: [{ text: expect.stringContaining('"who": "postgres"') }], isError: false });
  if (ON_LINUX) expect(words.some((line) => line.includes("mcp-server-postgres"))).toBe(true);
  for (const form of [PASSWORD, encodeURIComponent(PASSWORD)])
    expect(words.filter((line) => line.includes(form))).toEqual([]);
});

test("a URL that stays in the arguments is percent-encoded again, so that the server can log in", async ({ skip }) => {
  await using postgres = await startPostgres(PASSWORD);
  if (postgres === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
  using home = makeHome();
  const url = `postgresql://${postgres.user}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${postgres.port}/postgres`;
  // Started by the path of a script, it is no server that migrate knows.
  const script = join(home.work, "unknown.mjs");
  writeFileSync(script, `await import(${JSON.stringify(SERVER)});\n`);
  const entry = entryOf(await migrated(home, { db: { command: "node", args: [script, url] } }), "db");
  expect(entry.args.at(-1)).toContain(`${postgres.user}:mcp-secret://local/db/password@`);

  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StdioClientTransport({ ...entry, env: { ...home.env, ...entry.env }, stderr: "ignore" }));
  const result = await client.callTool({ name: "query", arguments: { sql: "select current_user as who" } });
  await client.close();
  expect(result).toMatchObject({ content: [{ text: expect.stringContaining('"who": "postgres"') }], isError: false });
});
