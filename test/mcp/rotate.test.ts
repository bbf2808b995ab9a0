import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execute, type Home, makeHome, mcpSecrets } from "../helpers/cli.ts";
import { approveEntries } from "../helpers/approve.ts";
import { entryOf, type ServerEntry } from "../helpers/migrated.ts";
import { query } from "../servers/postgres-client.ts";
import { type Postgres, startPostgres } from "../servers/postgres.ts";

/** Rotation as a server that runs, and those that are started meanwhile, see it. */

const SUPERUSER = "p@ss#w%rd/1-canary";
const SERVER = resolve(import.meta.dirname, "../servers/fresh-login.mjs");
let postgres: Postgres | undefined;

beforeAll(async () => {
  postgres = await startPostgres(SUPERUSER);
});
afterAll(async () => postgres?.[Symbol.asyncDispose]());

async function succeeds(home: Home, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await mcpSecrets(args, { env: home.env, cwd: home.work, input });
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

async function setUp(home: Home, { port }: Postgres, secret: string, settings: object): Promise<void> {
  await succeeds(home, ["set", "mcp-secret://local/db/admin#username"], "postgres");
  await succeeds(home, ["set", "mcp-secret://local/db/admin#password"], SUPERUSER);
  const target = { target: "postgresql", host: "127.0.0.1", port, database: "postgres" };
  const rule = { ...target, admin: "mcp-secret://local/db/admin", ...settings };
  mkdirSync(join(home.home, ".mcp-secrets"), { recursive: true });
  // Launches start nothing: what they start may end a rotation just before the test does, which then begins the next one.
  const rotation = { trigger: "cron", [secret]: rule };
  writeFileSync(join(home.home, ".mcp-secrets", "config.jsonc"), JSON.stringify({ rotation }));
}

/** Writes a config, migrates it and gives its entries as a client reads them then. */
async function migrate(home: Home, name: string, servers: object): Promise<Record<string, ServerEntry>> {
  const config = join(home.work, name);
  writeFileSync(config, JSON.stringify({ mcpServers: servers }));
  await succeeds(home, ["migrate", "--config", config, "--yes"]);
  await approveEntries(home, config);
  return JSON.parse(readFileSync(config, "utf8")).mcpServers;
}

test("twenty calls a second through a running server while its login is rotated: none fails", async ({ skip }) => {
  if (postgres === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
  using home = makeHome();
  const secret = "mcp-secret://local/db/app";
  await query(postgres, "CREATE ROLE app_a LOGIN PASSWORD 'first-canary'");
  await succeeds(home, ["set", `${secret}#username`], "app_a");
  await succeeds(home, ["set", `${secret}#password`], "first-canary");
  await setUp(home, postgres, secret, { roles: ["app_a", "app_b"] });
  const env = { PGHOST: "127.0.0.1", PGPORT: String(postgres.port), PGDATABASE: "postgres" };
  const login = { PGUSER: `${secret}#username`, PGPASSWORD: `${secret}#password` };
  const entry = entryOf(
    await migrate(home, "c.json", { db: { command: "node", args: [SERVER], env: { ...env, ...login } } }),
    "db",
  );

  const rotate = async () => JSON.parse(await succeeds(home, ["rotate", secret, "--json"]));
  const first = await whileCalling(home, entry, async () => {
    expect(await rotate()).toMatchObject({ outcome: "draining", restart: [expect.stringContaining("/db")] });
    // Once more: the old login is in use, so that its turn does not come.
    expect(await rotate()).toMatchObject({ outcome: "draining" });
  });
  expect(new Set(first)).toEqual(new Set(["app_a"]));
  // It has ended: nobody holds the old one any more.
  expect(await rotate()).toMatchObject({ outcome: "rotated" });

  const second = await whileCalling(home, entry, async () => {
    expect(await rotate()).toMatchObject({ outcome: "draining" });
  });
  expect(new Set(second)).toEqual(new Set(["app_b"]));
  expect(first.length + second.length).toBeGreaterThan(40);
});

/** What each call said, one begun every 50 ms while `work` goes on and for a second around it. Throws where one fails. */
async function whileCalling(
  home: Home,
  { command, args, env }: ServerEntry,
  work: () => Promise<void>,
): Promise<string[]> {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(
    new StdioClientTransport({ command, args, env: { ...home.env, ...env }, cwd: home.work, stderr: "inherit" }),
  );
  const calls: Promise<string>[] = [];
  const state = { going: true };
  const calling = (async () => {
    while (state.going) {
      calls.push(client.callTool({ name: "who" }).then(textOf));
      await sleep(50);
    }
  })();
  await sleep(1000);
  await work();
  await sleep(1000);
  state.going = false;
  await calling;
  const said = await Promise.all(calls);
  await client.close();
  return said;
}

function textOf(result: unknown): string {
  expect(result).toMatchObject({ content: [{ type: "text" }] });
  const { content, isError } = result as { content: [{ text: string }]; isError?: boolean };
  return isError === true ? `failed: ${content[0].text}` : content[0].text;
}

interface Seen {
  readonly began: number;
  readonly ended: number;
  readonly value: string;
}

test("a secret of two servers in three configs: at any time all see one version", async ({ skip }) => {
  if (postgres === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
  using home = makeHome();
  await query(postgres, "CREATE ROLE shared LOGIN PASSWORD 'k3J9sQ2vXw7Lm4Np8Rt1'");
  const server = {
    command: "node",
    args: ["-p", "process.env.DB_PASSWORD"],
    env: { DB_PASSWORD: "k3J9sQ2vXw7Lm4Np8Rt1" },
  };
  const configs = [
    await migrate(home, "a.json", { one: server }),
    await migrate(home, "b.json", { one: server, two: server }),
    await migrate(home, "c.json", { two: server }),
  ];
  const entries = configs.flatMap((config) => Object.values(config));
  const [secret = "", ...others] = new Set(entries.map(({ env }) => env["DB_PASSWORD"]));
  expect(others).toEqual([]);
  await setUp(home, postgres, secret, { role: "shared" });

  const seen: Seen[] = [];
  const launch = async ({ command, args, env }: ServerEntry): Promise<string> => {
    const began = performance.now();
    const { stdout, stderr } = await execute(command, args, { env: { ...home.env, ...env }, cwd: home.work });
    expect(stderr).toBe("");
    seen.push({ began, ended: performance.now(), value: stdout.trim() });
    return stdout.trim();
  };
  const versions = ["k3J9sQ2vXw7Lm4Np8Rt1"];
  for (let round = 0; round < 2; round += 1) {
    const rotating = succeeds(home, ["rotate", secret, "--json"]);
    await Promise.all([rotating, ...entries.map(launch), sleep(300).then(() => Promise.all(entries.map(launch)))]);
    const after = await Promise.all(entries.map(launch));
    expect(new Set(after).size).toBe(1);
    versions.push(after[0] ?? "");
    // Where a server ran at the promotion, the old value is retired now.
    await succeeds(home, ["rotate", "--due"]);
  }
  expect(new Set(versions).size).toBe(3);
  // Whoever starts after somebody saw a version sees that one or a later one.
  const numbered = seen.map((one) => ({ ...one, version: versions.indexOf(one.value) }));
  expect(numbered.every(({ version }) => version >= 0)).toBe(true);
  const backwards = numbered.filter((late) =>
    numbered.some((early) => early.ended < late.began && early.version > late.version),
  );
  expect(backwards).toEqual([]);
});
