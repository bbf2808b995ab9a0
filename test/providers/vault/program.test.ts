import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve as absolute } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { findCanaries } from "../../helpers/canary.ts";
import { type Ended, ended, execute, type Home, LONG, makeHome, mcpSecrets } from "../../helpers/cli.ts";
import { entryOf, migrated, type ServerEntry } from "../../helpers/migrated.ts";
import { memoryOf } from "../../helpers/memory.ts";
import { auditEntries, type OpenBao, ROOT_TOKEN, startOpenBao } from "../../servers/openbao.ts";
import { type Postgres, startPostgres } from "../../servers/postgres.ts";
import { logsIn, query } from "../../servers/postgres-client.ts";
import { connectDatabase, leasesOf, liveTokens, makeRole } from "./database.ts";

/** Prints its variables, then waits for the end of its input. */
const SERVER = `console.log(JSON.stringify({ token: process.env.TOKEN, user: process.env.PGUSER, password: process.env.PGPASSWORD }));
process.stdin.resume().on("end", () => process.exit(0));`;
const POSTGRES_SERVER = absolute("node_modules/@modelcontextprotocol/server-postgres/dist/index.js");
const TOKEN = "ghp_kT9vQ2mZx7LrB4nWc8YdS1hJf6PgAeU3oXiV";

let bao: OpenBao;
let postgres: Postgres;

beforeAll(async () => {
  bao = await startOpenBao();
  const started = await startPostgres("superuser-password");
  if (started === undefined) throw new Error("no PostgreSQL here, and none can be installed");
  postgres = started;
  await connectDatabase(bao, postgres);
  await makeRole(bao, "readonly", { default_ttl: "6s", max_ttl: "1h" });
});
afterAll(async () => {
  await bao?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

interface Team {
  readonly home: Home;
  cli(...args: string[]): Promise<Ended>;
}

/** A user whose default store is the vault. */
async function makeTeam(server = bao, ...options: string[]): Promise<Team> {
  const home = makeHome();
  onTestFinished(() => {
    rmSync(memoryOf(join(home.home, ".mcp-secrets")), { recursive: true, force: true });
    home[Symbol.dispose]();
  });
  writeFileSync(join(home.home, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  const cli = (...args: string[]) => mcpSecrets(args, { env: home.env, cwd: home.work });
  const mounts = ["--mount", "kv=secret", "--mount", "db=engine:database/creds"];
  const add = ["store", "add", "team", "--provider", "vault", "--address", server.address, ...mounts, ...options];
  expect(await cli(...add)).toMatchObject({ code: 0 });
  expect(await cli("store", "default", "team")).toMatchObject({ code: 0 });
  return { home, cli };
}

/** An entry with a secret in KV and a database credential, and the policy for it in the vault. */
async function makeEntry({ home, cli }: Team, server: string, args = ["-e", SERVER]): Promise<ServerEntry> {
  const at = (field: string) => `mcp-secret://team/db/readonly#${field}`;
  const env = { TOKEN, PGUSER: at("username"), PGPASSWORD: at("password") };
  const entries = await migrated(home, { [server]: { command: process.execPath, args, env } });
  const config = ["--config", join(home.work, "config.json")];
  const policy = await cli("store", "policy", "--server", server, ...config);
  expect(policy).toMatchObject({ code: 0 });
  const [own = ""] = policy.stdout.split("# What the login");
  await bao.call("POST", `sys/policies/acl/mcp-${server}`, { policy: own });
  return entryOf(entries, server);
}

interface Running {
  readonly pid: number;
  readonly shown: { readonly token: string; readonly user: string; readonly password: string };
  readonly ended: Promise<Ended>;
  closeInput(): void;
  kill(): void;
}

async function start(home: Home, entry: ServerEntry): Promise<Running> {
  const child = spawn(entry.command, entry.args, { env: { ...home.env, ...entry.env }, stdio: "pipe" });
  const done = ended(child);
  const line = new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    void done.then(({ stderr }) => reject(new Error(stderr)));
  });
  return {
    pid: child.pid ?? 0,
    shown: JSON.parse(await line),
    ended: done,
    closeInput: () => child.stdin.end(),
    kill: () => void child.kill("SIGKILL"),
  };
}

const notesOf = (home: Home) => {
  const folder = join(home.home, ".mcp-secrets/journal/leases");
  return existsSync(folder) ? readdirSync(folder) : [];
};

/** Waits for the note of the only launch to go, and for the process that gave its things back to say so and end. */
async function reaped(home: Home): Promise<void> {
  const log = join(home.home, ".mcp-secrets/audit/audit.jsonl");
  const count = () => readFileSync(log, "utf8").split(`"event":"revoked"`).length;
  await expect.poll(() => notesOf(home), { timeout: 20_000 }).toEqual([]);
  await expect.poll(count, { timeout: 20_000 }).toBeGreaterThan(1);
}

describe("from the command line", () => {
  test("a store is added, checked, listed; a second of its name is refused; config.jsonc keeps its comments", async () => {
    const { home, cli } = await makeTeam();
    const file = join(home.home, ".mcp-secrets/config.jsonc");
    writeFileSync(file, readFileSync(file, "utf8").replace("{", "{\n  // ours"));
    expect(await cli("store", "check")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("ok  logged in (token)"),
    });
    const again = await cli("store", "add", "team", "--provider", "vault", "--address", bao.address);
    expect(again).toMatchObject({ code: 64, stderr: expect.stringContaining("there is a store team already") });
    const other = ["--auth", "approle", "--role-id", "r", "--credential-file", "~/secret-id", "--wrapped-for", "mcp"];
    expect(await cli("store", "add", "two", "--provider", "vault", "--address", bao.address, ...other)).toMatchObject({
      code: 0,
    });
    expect(JSON.parse((await cli("store", "list", "--json")).stdout).stores).toEqual([
      { name: "local", provider: "local", default: false },
      { name: "team", provider: "vault", default: true },
      { name: "two", provider: "vault", default: false },
    ]);
    expect(readFileSync(file, "utf8")).toContain("// ours");
    const bad = await cli("store", "add", "bad", "--provider", "vault", "--address", "http://vault.example:8200");
    expect(bad).toMatchObject({ code: 65, stderr: expect.stringContaining("stores.bad.addresses") });
    expect(readFileSync(file, "utf8")).not.toContain("bad");
  });

  test("set, get, list and rm", async () => {
    const { home, cli } = await makeTeam();
    const reference = "mcp-secret://team/kv/by-hand/x#token";
    const stored = await execute(process.execPath, ["dist/launcher.cjs", "set", reference], {
      env: home.env,
      input: "va/lue",
    });
    expect(stored).toMatchObject({ code: 0, stdout: `${reference} is stored, version 1\n` });
    expect((await cli("get", reference, "--force-stdout")).stdout).toBe("va/lue");
    expect((await cli("list")).stdout).toContain("mcp-secret://team/kv/by-hand/x  token");
    expect(await cli("rm", "mcp-secret://team/kv/by-hand/x", "--yes")).toMatchObject({ code: 0 });
    expect(await cli("get", reference, "--force-stdout")).toMatchObject({
      code: 69,
      stderr: expect.stringContaining("has no secret/by-hand/x"),
    });
  });

  test("an unknown store, and one that refuses, end in their codes with a hint", async () => {
    const { home, cli } = await makeTeam();
    expect(await cli("get", "mcp-secret://nobody/x", "--force-stdout")).toMatchObject({
      code: 65,
      stderr: expect.stringContaining("stores: local, team"),
    });
    writeFileSync(join(home.home, ".vault-token"), "hvs.unknown", { mode: 0o600 });
    const refused = await cli("get", "mcp-secret://team/kv/x", "--force-stdout");
    expect(refused).toMatchObject({ code: 77, stderr: expect.stringContaining("hint: mcp-secrets store check team") });
    expect(refused.stderr).not.toContain("hvs.unknown");
  });
});

describe("a launch", () => {
  test("gets what migrate stored and a credential that lives while it does; nothing is left when it ends", async () => {
    const team = await makeTeam();
    const entry = await makeEntry(team, "whole");
    expect(entry.env["TOKEN"]).toBe("mcp-secret://team/kv/whole/TOKEN");
    const running = await start(team.home, entry);
    expect(running.shown.token).toBe(TOKEN);
    expect(await logsIn(postgres, running.shown)).toBe(true);
    expect(notesOf(team.home)).toHaveLength(1);
    const read = auditEntries(bao).findLast(({ request }) => request.path === "secret/data/whole/TOKEN");
    expect(read.auth.metadata).toMatchObject({ server: "whole", host: expect.any(String) });
    // Longer than the lease was given, which is six seconds: it was renewed, again and again.
    const probes = LONG ? 300 : 60;
    let refused = 0;
    for (let probe = 0; probe < probes; probe++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (!(await logsIn(postgres, running.shown))) refused += 1;
    }
    expect(refused).toBe(0);
    const roles = () => query(postgres, `select 1 from pg_roles where rolname = '${running.shown.user}'`);
    expect(await roles()).toHaveLength(1);
    running.closeInput();
    expect(await running.ended).toMatchObject({ code: 0, signal: null });
    expect(await roles()).toEqual([]);
    expect(await logsIn(postgres, running.shown)).toBe(false);
    expect([await leasesOf(bao, "readonly"), (await liveTokens(bao)).length, notesOf(team.home)]).toEqual([[], 0, []]);
  });

  test("under the client of the SDK: a real server works with a role of its own, and nothing is left after close", async () => {
    const team = await makeTeam();
    const url = `postgresql://127.0.0.1:${postgres.port}/postgres`;
    const entry = await makeEntry(team, "sdk", [POSTGRES_SERVER, url]);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StdioClientTransport({ ...entry, env: { ...team.home.env, ...entry.env }, stderr: "inherit" }),
    );
    const call = { name: "query", arguments: { sql: "select current_user as who" } };
    expect(await client.callTool(call)).toMatchObject({ content: [{ text: expect.stringContaining('"who": "v-') }] });
    const read = auditEntries(bao).findLast(({ request }) => request.path === "database/creds/readonly");
    expect(read.auth).toMatchObject({
      policies: ["mcp-sdk"],
      metadata: { launch: expect.any(String), server: "sdk", client: expect.any(String), host: expect.any(String) },
    });
    await client.close();
    const left = async () => [...(await leasesOf(bao, "readonly")), ...(await liveTokens(bao))];
    await expect.poll(left, { timeout: 5_000 }).toEqual([]);
    expect(notesOf(team.home)).toEqual([]);
  });

  test("that is killed leaves nothing: its watcher gives everything back", async () => {
    const team = await makeTeam();
    const running = await start(team.home, await makeEntry(team, "killed"));
    expect(await logsIn(postgres, running.shown)).toBe(true);
    running.kill();
    await running.ended;
    await expect.poll(() => logsIn(postgres, running.shown), { timeout: 10_000 }).toBe(false);
    await reaped(team.home);
    expect((await liveTokens(bao)).length).toBe(0);
  });

  test("whose watcher is killed as well is cleaned up by reap, and by the next launch", async () => {
    const team = await makeTeam();
    const entry = await makeEntry(team, "alone");
    for (const command of ["reap", "run"]) {
      const running = await start(team.home, entry);
      for (const pid of watchersOf(running.pid)) process.kill(pid, "SIGKILL");
      running.kill();
      await running.ended;
      expect(await logsIn(postgres, running.shown)).toBe(true);
      if (command === "reap") {
        expect(await team.cli("reap")).toMatchObject({ code: 0, stdout: expect.stringContaining("/alone") });
      } else {
        const next = await start(team.home, entry);
        next.closeInput();
        await next.ended;
      }
      await reaped(team.home);
      expect(await logsIn(postgres, running.shown)).toBe(false);
      expect((await liveTokens(bao)).length).toBe(0);
    }
  });

  test("is listed by ps with its leases, and revoke takes them away", async () => {
    const team = await makeTeam();
    const running = await start(team.home, await makeEntry(team, "revoked"));
    const [launch] = JSON.parse((await team.cli("ps", "--json")).stdout).launches;
    expect(launch.leases).toEqual([{ store: "team", id: (await leasesOf(bao, "readonly"))[0] }]);
    expect(await team.cli("revoke", launch.entry)).toMatchObject({ code: 0 });
    expect([await logsIn(postgres, running.shown), (await liveTokens(bao)).length]).toEqual([false, 0]);
    running.closeInput();
    expect(await running.ended).toMatchObject({ code: 0 });
  });

  test("without a policy is refused, says how to make one, and leaves nothing", async () => {
    const team = await makeTeam();
    const entry = await makeEntry(team, "denied");
    await bao.call("DELETE", "sys/policies/acl/mcp-denied");
    const done = await execute(entry.command, entry.args, { env: { ...team.home.env, ...entry.env } });
    expect(done).toMatchObject({ code: 77, stdout: "" });
    expect(done.stderr).toContain("hint: mcp-secrets store policy --store team --server denied");
    expect((await liveTokens(bao)).length).toBe(0);
    await reaped(team.home);
  });

  test("works from its copy while the vault is down, where that is allowed: it is told, logged and listed", async () => {
    const own = await startOpenBao();
    onTestFinished(() => own[Symbol.asyncDispose]());
    const { home, cli } = await makeTeam(own, "--stale-for", "1h");
    const entries = await migrated(home, {
      stale: { command: process.execPath, args: ["-e", SERVER], env: { TOKEN } },
    });
    const policy = `path "secret/data/*" { capabilities = ["read"] }\npath "auth/token/revoke-self" { capabilities = ["update"] }`;
    await own.call("POST", "sys/policies/acl/mcp-stale", { policy });
    const entry = entryOf(entries, "stale");
    const first = await start(home, entry);
    first.closeInput();
    expect((await first.ended).stderr).toBe("");
    await own.kill();
    const second = await start(home, entry);
    expect(second.shown.token).toBe(TOKEN);
    const [{ refs }] = JSON.parse((await cli("ps", "--json")).stdout).launches;
    expect(refs).toEqual([{ ref: entry.env["TOKEN"], version: 1, stale: expect.stringMatching(/^20.*Z$/) }]);
    expect((await cli("ps")).stdout).toContain(`${entry.env["TOKEN"]} v1 (stale, read 20`);
    second.closeInput();
    const { code, stderr } = await second.ended;
    expect(code).toBe(0);
    expect(stderr).toContain(
      `warning: store team does not answer: ${entry.env["TOKEN"]} is a copy of version 1 read 20`,
    );
    const log = readFileSync(join(home.home, ".mcp-secrets/audit/audit.jsonl"), "utf8");
    expect(log).toContain(`"event":"stale","outcome":"ok","entry":`);
    expect(
      findCanaries([home.root], [TOKEN]).filter((found) => !found.startsWith(join(home.work, "config.json"))),
    ).toEqual([]);
    expect(notesOf(home)).toEqual([]);
  });

  test("a hundred clients' worth at once: one login, one token each, and hardly any reads", async () => {
    const { home, cli } = await makeTeam();
    await bao.call("POST", "sys/auth/approle", { type: "approle" });
    const own = `path "secret/data/crowd" { capabilities = ["read"] }\npath "auth/token/revoke-self" { capabilities = ["update"] }`;
    const login = `path "auth/token/create" { capabilities = ["update"] }`;
    for (const [name, policy] of Object.entries({ crowd: login, "mcp-crowd": own })) {
      await bao.call("POST", `sys/policies/acl/${name}`, { policy });
    }
    await bao.call("POST", "auth/approle/role/crowd", { token_policies: "crowd,mcp-crowd", token_ttl: "1h" });
    const { body: id } = await bao.call("GET", "auth/approle/role/crowd/role-id");
    const { body: made } = await bao.call("POST", "auth/approle/role/crowd/secret-id", {});
    writeFileSync(join(home.home, "secret-id"), made.data.secret_id, { mode: 0o600 });
    const auth = ["--auth", "approle", "--role-id", id.data.role_id, "--credential-file", "~/secret-id"];
    expect(await cli("store", "add", "crowd", "--provider", "vault", "--address", bao.address, ...auth)).toMatchObject({
      code: 0,
    });
    await bao.call("POST", "secret/data/crowd", { data: { value: "crowd-value" } });
    const entries = await migrated(home, {
      crowd: { command: process.execPath, args: ["-e", SERVER], env: { TOKEN: "mcp-secret://crowd/kv/crowd" } },
    });
    const entry = entryOf(entries, "crowd");
    const before = auditEntries(bao).length;
    const count = LONG ? 100 : 12;
    const began = Date.now();
    const done = await Promise.all(
      Array.from({ length: count }, () => execute(entry.command, entry.args, { env: { ...home.env, ...entry.env } })),
    );
    expect(new Set(done.map(({ code, stderr }) => `${code} ${stderr}`))).toEqual(new Set(["0 "]));
    const asked = auditEntries(bao)
      .slice(before)
      .filter(({ type }) => type === "request")
      .map(({ request }) => request.path);
    const times = (path: string) => asked.filter((each) => each === path).length;
    expect(times("auth/approle/login")).toBe(1);
    // On a starved machine a token may end before it is used, and is then made again.
    expect(times("auth/token/create")).toBeGreaterThanOrEqual(count);
    // One for every two seconds that they take to start on this machine.
    expect(times("secret/data/crowd")).toBeLessThanOrEqual(2 + (Date.now() - began) / 2_000);
    expect((await liveTokens(bao)).length).toBe(0);
  });

  test("of the local store loads nothing of the vault's code", async () => {
    const { home } = await makeTeam();
    const entries = await migrated(home, { one: { command: process.execPath, args: ["-e", "0"], env: { A: "1" } } });
    expect(entryOf(entries, "one")).toBeDefined();
    const loaded = "process.on('exit', () => console.error(Object.keys(require.cache).join(' ')))";
    const preload = join(home.work, "preload.cjs");
    writeFileSync(preload, loaded);
    const done = await mcpSecrets(["list"], { env: home.env, nodeArgs: ["--require", preload] });
    expect(done.stderr).toContain("vault.cjs");
    const local = await mcpSecrets(["run", "--entry", "x/y", "--", "true"], {
      env: home.env,
      nodeArgs: ["--require", preload],
    });
    expect(local.stderr).toContain("launcher.cjs");
    for (const chunk of ["vault.cjs", "aws.cjs", "cli.cjs"]) expect(local.stderr).not.toContain(chunk);
  });
});

/** The shells that stand by for a launcher. */
function watchersOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${each}/status`, "utf8"))?.[1];
        return Number(parent) === pid && readFileSync(`/proc/${each}/cmdline`, "latin1").startsWith("/bin/sh\0-c");
      } catch {
        return false;
      }
    });
}
