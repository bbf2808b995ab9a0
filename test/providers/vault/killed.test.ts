import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { ended, type Home, LAUNCHER, LONG, makeHome, mcpSecrets } from "../../helpers/cli.ts";
import { entryOf, migrated, type ServerEntry } from "../../helpers/migrated.ts";
import { memoryOf } from "../../helpers/memory.ts";
import { type OpenBao, ROOT_TOKEN, startOpenBao } from "../../servers/openbao.ts";
import { type Postgres, startPostgres } from "../../servers/postgres.ts";
import { connectDatabase, leasesOf, liveTokens, makeRole } from "./database.ts";

/**
 * Kill -9 of the launcher at everything that it does from its start to its end: file operations, requests before they
 * are sent and when they are answered, starts of processes. `npm test` samples the steps; `npm run test:long` takes each.
 */
const STEP = LONG ? 1 : 13;
const KILL_AT = resolve(import.meta.dirname, "../../helpers/kill-at.cjs");
const SERVER = "console.log('ready'); process.stdin.resume().on('end', () => process.exit(0));";

let bao: OpenBao;
let postgres: Postgres;
beforeAll(async () => {
  bao = await startOpenBao();
  const started = await startPostgres("superuser-password");
  if (started === undefined) throw new Error("no PostgreSQL here, and none can be installed");
  postgres = started;
  await connectDatabase(bao, postgres);
  // So long that only a revocation ends it while the test looks.
  await makeRole(bao, "long", { default_ttl: "1h", max_ttl: "2h" });
  await bao.call("POST", "secret/data/static", { data: { value: "v" } });
});
afterAll(async () => {
  await bao?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

interface Killed {
  readonly home: Home;
  readonly entry: ServerEntry;
}

async function prepare(server: string, env: Record<string, string>): Promise<Killed> {
  const home = makeHome();
  onTestFinished(() => {
    rmSync(memoryOf(join(home.home, ".mcp-secrets")), { recursive: true, force: true });
    home[Symbol.dispose]();
  });
  writeFileSync(join(home.home, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  const mounts = ["--mount", "kv=secret", "--mount", "db=engine:database/creds"];
  const add = ["store", "add", "team", "--provider", "vault", "--address", bao.address, ...mounts];
  expect(await mcpSecrets(add, { env: home.env })).toMatchObject({ code: 0 });
  const entries = await migrated(home, { [server]: { command: process.execPath, args: ["-e", SERVER], env } });
  const policy = `path "secret/data/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/+/database/creds/*" { capabilities = ["update"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }`;
  await bao.call("POST", `sys/policies/acl/mcp-${server}`, { policy });
  return { home, entry: entryOf(entries, server) };
}

/** A launch whose client closes its input as soon as the server is there, with the given killing. */
async function launch({ home, entry }: Killed, killing: Record<string, string>) {
  const args = ["-r", KILL_AT, LAUNCHER, ...entry.args];
  const env = { ...home.env, ...entry.env, KILL_CALLS: "1", ...killing };
  const child = spawn(process.execPath, args, { env, stdio: "pipe" });
  child.stdin.on("error", () => {});
  child.stdout.once("data", () => child.stdin.end());
  child.once("exit", () => child.stdin.destroy());
  return ended(child);
}

async function stepsOf(killed: Killed): Promise<number> {
  const file = join(killed.home.work, "count");
  expect(await launch(killed, { KILL_COUNT: file })).toMatchObject({ code: 0 });
  return Number(readFileSync(file, "utf8"));
}

/** Milliseconds until nothing of ours lives; fails after ten seconds, in which nothing here ends by its TTL. */
async function untilNothingLives(step: string): Promise<number> {
  const began = performance.now();
  const alive = async () => [...(await leasesOf(bao, "long")), ...(await liveTokens(bao))];
  await expect.poll(alive, { timeout: 10_000, interval: 50, message: step }).toEqual([]);
  return performance.now() - began;
}

const at = (field: string) => `mcp-secret://team/db/long#${field}`;
const LEASED = { TOKEN: "mcp-secret://team/kv/static", PGUSER: at("username"), PGPASSWORD: at("password") };
const STATIC = { TOKEN: "mcp-secret://team/kv/static" };

test.each([
  ["leased", LEASED, 45],
  ["static", STATIC, 30],
])(
  "a launch of %s secrets, killed at any step, leaves nothing alive",
  { timeout: 3_600_000 },
  async (name, env, least) => {
    const killed = await prepare(name, env);
    const steps = await stepsOf(killed);
    expect(steps).toBeGreaterThan(least);
    let slowest = 0;
    const ends: unknown[] = [];
    for (let step = 1; step <= steps; step += STEP) {
      ends.push((await launch(killed, { KILL_AT: String(step) })).signal);
      slowest = Math.max(slowest, await untilNothingLives(`${name}, step ${step} of ${steps}`));
    }
    // The last steps may not come: what is left to do at the end depends on who is faster.
    const kills = ends.filter((signal) => signal === "SIGKILL").length;
    expect(kills).toBeGreaterThanOrEqual(ends.length * (LONG ? 0.7 : 0.5));
    process.stdout.write(
      `${name}: killed at ${kills} of ${steps} steps, all gone after ${Math.round(slowest)} ms at most\n`,
    );
  },
);

test.runIf(process.platform === "linux")(
  "with its watchers killed as well, reap leaves nothing alive",
  { timeout: 3_600_000 },
  async () => {
    const killed = await prepare("alone", LEASED);
    const steps = await stepsOf(killed);
    for (let step = 5; step <= steps; step += STEP) {
      await launch(killed, { KILL_AT: String(step), KILL_SHELLS: "1" });
      expect(await mcpSecrets(["reap"], { env: killed.home.env })).toMatchObject({ code: 0 });
      await untilNothingLives(`step ${step} of ${steps}, no watcher`);
    }
  },
);
