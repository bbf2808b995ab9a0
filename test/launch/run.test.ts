import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, type Home, execute, makeHome, mcpSecrets } from "../helpers/cli.ts";
import { type ServerEntry, entryOf, migrated } from "../helpers/migrated.ts";

/** `run` as clients start it, from the config that migrate wrote. */

const VALUE = "sk-live-4f8a1b0c7d2e-run";
const PRINT = "process.stdout.write(JSON.stringify({ env: process.env, args: process.argv.slice(1) }))";
const REQUEST = '{"jsonrpc":"2.0","id":1,"method":"initialize"}\n';

let home: Home;
let entry: ServerEntry;

beforeEach(async () => {
  home = makeHome();
  const server = { command: process.execPath, args: ["-e", PRINT, "word"], env: { API_KEY: VALUE, LEVEL: "debug" } };
  entry = entryOf(await migrated(home, { one: server }), "one");
});
afterEach(() => home[Symbol.dispose]());

function start(change: Partial<ServerEntry> = {}, env: Record<string, string> = {}, input = ""): Promise<Ended> {
  const { command, args, env: own } = { ...entry, ...change };
  return execute(command, args, { env: { ...home.env, ...own, ...env }, cwd: home.work, input });
}

function auditOf(): { event: string; outcome: string; code?: string; refs?: string[] }[] {
  const lines = readFileSync(join(home.home, ".mcp-secrets/audit/audit.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

function configFile(): string {
  return join(home.work, "config.json");
}

function editConfig(edit: (one: ServerEntry) => void): void {
  const config = JSON.parse(readFileSync(configFile(), "utf8"));
  edit(config.mcpServers.one);
  writeFileSync(configFile(), JSON.stringify(config));
}

test("the server gets its value, and exactly the environment that the client gave", async () => {
  const odd = { "a-b": "1", "x.y": "2", EMPTY: "", LINES: "1\n2\n", NODE_OPTIONS: "--no-warnings", ODD: '$HOME "`\\' };
  const { code, stdout, stderr } = await start({}, odd);
  expect([code, stderr]).toEqual([0, ""]);
  const given = { ...home.env, ...odd, API_KEY: VALUE, LEVEL: "debug" };
  expect(JSON.parse(stdout)).toEqual({ env: given, args: ["word"] });
});

test("certificates that Node would read at its start are the server's business", async () => {
  const file = join(home.work, "certificates.pem");
  writeFileSync(file, "");
  const { stdout } = await start({}, { NODE_EXTRA_CA_CERTS: file });
  expect(JSON.parse(stdout).env.NODE_EXTRA_CA_CERTS).toBe(file);
});

test("what was left out is told by name", async () => {
  const { stdout, stderr } = await start({}, { VAULT_TOKEN: "hvs.canary", LD_LIBRARY_PATH: "/nowhere" });
  expect(Object.keys(JSON.parse(stdout).env)).not.toEqual(expect.arrayContaining(["VAULT_TOKEN"]));
  expect(stderr).toContain("[mcp-secrets] VAULT_TOKEN was not passed on: it belongs to a vault client\n");
  expect(stderr).toContain("[mcp-secrets] LD_LIBRARY_PATH was not passed on: it loads code");
  expect(stderr).not.toContain("hvs.canary");
});

test("a variable of the entry under a name of ours is left out and told", async () => {
  using other = makeHome();
  const env = { API_KEY: VALUE, MCPS_C: "/none", MCPS_MODE: "x" };
  const entries = await migrated(other, { one: { command: "env", env } });
  const one = entryOf(entries, "one");
  const { stdout, stderr } = await execute(one.command, one.args, {
    env: { ...other.env, ...one.env },
    cwd: other.work,
  });
  expect(stdout).not.toContain("MCPS_");
  for (const name of ["MCPS_C", "MCPS_MODE"]) {
    expect(stderr).toContain(`[mcp-secrets] ${name} was not passed on: it is kept for us\n`);
  }
});

test("a variable that is no UTF-8 is left out and told, not changed", async () => {
  const latin1 = 'NAME=$(printf "M\\374ller") exec "$0" "$@"';
  const env = { ...home.env, ...entry.env };
  const { stdout, stderr } = await execute("/bin/sh", ["-c", latin1, entry.command, ...entry.args], {
    env,
    cwd: home.work,
  });
  expect(JSON.parse(stdout).env).not.toHaveProperty("NAME");
  expect(stderr).toBe(
    "[mcp-secrets] NAME was not passed on: it holds bytes that are no UTF-8, which Node cannot hand on as they are\n",
  );
});

test("events are recorded in order, with references and without values", async () => {
  await start();
  const events = auditOf().slice(-3);
  const replaced = typeof Reflect.get(process, "execve") === "function";
  const expected = replaced ? ["resolved", "launched"] : ["resolved", "launched", "ended"];
  expect(events.map(({ event }) => event).slice(-expected.length)).toEqual(expected);
  expect(events.every(({ refs }) => refs?.[0] === "mcp-secret://local/one/API_KEY")).toBe(true);
  const log = join(home.home, ".mcp-secrets/audit/audit.jsonl");
  expect(readFileSync(log, "utf8")).not.toContain(VALUE);
  expect(statSync(log).mode & 0o777).toBe(0o600);
});

describe("78, no secret read, and the client told in its own protocol", () => {
  const changed: Record<string, () => Partial<ServerEntry> | void> = {
    "another command": () => ({ args: entry.args.with(entry.args.indexOf("--") + 1, "/bin/sh") }),
    "another argument": () => ({ args: [...entry.args, "--evil"] }),
    "another entry's approval": () => ({ args: entry.args.with(2, "claude-desktop/none") }),
    "another value of a plain variable": () => ({ env: { ...entry.env, LEVEL: "trace" } }),
    "a reference more": () => ({ env: { ...entry.env, MORE: "mcp-secret://local/one/API_KEY" } }),
    "a variable more in the config": () => editConfig(({ env }) => void (env["GIT_DIR"] = "/evil")),
    "a variable more behind a comment": () => {
      editConfig(({ env }) => void (env["GIT_DIR"] = "/evil"));
      writeFileSync(configFile(), `// hidden\n${readFileSync(configFile(), "utf8")}`);
    },
    "another folder in the config": () => editConfig((one) => Object.assign(one, { cwd: "/evil" })),
    "a file of variables in the config": () => editConfig((one) => Object.assign(one, { envFile: ".env" })),
    "a plain variable less": () => ({ env: { API_KEY: entry.env["API_KEY"] ?? "" } }),
    "an entry that is gone from the config": () => writeFileSync(configFile(), '{"mcpServers":{}}'),
    "a forged approval": () => {
      const path = join(home.home, ".mcp-secrets/approvals.json");
      writeFileSync(path, readFileSync(path, "utf8").replace('"word"', '"--evil"'));
      return { args: entry.args.with(-1, "--evil") };
    },
    "no key": () => rmSync(join(home.home, ".mcp-secrets/approvals.key")),
    "no approvals": () => rmSync(join(home.home, ".mcp-secrets/approvals.json")),
    "approvals that are no JSON": () => writeFileSync(join(home.home, ".mcp-secrets/approvals.json"), "{"),
  };

  test.each(Object.keys(changed))("%s", async (name) => {
    const change = changed[name]?.() ?? {};
    // A launch that reads a secret all the same would fail otherwise.
    renameSync(join(home.home, ".mcp-secrets/local"), join(home.home, ".mcp-secrets/away"));
    const { code, stdout, stderr } = await start(change, {}, REQUEST);
    expect(code, stderr).toBe(78);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ jsonrpc: "2.0", id: 1 });
    expect(answer.error.message).toMatch(/^\[mcp-secrets\] .* is not approved: .*; mcp-secrets approve \S+$/);
    expect(stderr).toMatch(/^\[mcp-secrets\] error: .*\n\[mcp-secrets\] hint: mcp-secrets approve \S+\n$/);
    expect(auditOf().at(-1)).toMatchObject({ event: "launched", outcome: "denied", code: "not-approved" });
  });
});

test("a config that is gone starts nothing, so that it refuses nothing", async () => {
  rmSync(configFile());
  expect(await start()).toMatchObject({ code: 0 });
});

test("a home in the environment is not the launcher's", async () => {
  const evil = join(home.work, "evil");
  mkdirSync(evil);
  expect(await start({}, { MCPS_HOME: evil, HOME: evil })).toMatchObject({ code: 0 });
});

test.each([
  ["a command that is not there", { command: "mcps-no-such-program", args: [] }, 127, "was not found"],
  ["one that cannot be run", { command: "./plain.txt", args: [] }, 126, "cannot be run"],
  ["a folder", { command: "./", args: [] }, 126, "cannot be run"],
])("%s", async (_, words, expected, said) => {
  writeFileSync(join(home.work, "plain.txt"), "");
  chmodSync(join(home.work, "plain.txt"), 0o600);
  const server = { ...words, env: { API_KEY: VALUE } };
  entry = entryOf(await migrated(home, { one: server }), "one");
  const { code, stdout, stderr } = await start({}, {}, REQUEST);
  expect([code, stderr]).toEqual([expected, expect.stringContaining(said)]);
  expect(JSON.parse(stdout).error.message).toContain(said);
});

test("a secret that is gone is named, and the client told", async () => {
  await mcpSecrets(["rm", "mcp-secret://local/one/API_KEY", "--yes"], { env: home.env });
  const { code, stderr, stdout } = await start({}, {}, REQUEST);
  expect([code, stderr]).toEqual([69, expect.stringContaining("mcp-secret://local/one/API_KEY")]);
  expect(JSON.parse(stdout).error.message).toContain("mcp-secret://local/one/API_KEY");
});

test("what cannot be recorded does not start", async () => {
  const log = join(home.home, ".mcp-secrets/audit/audit.jsonl");
  rmSync(log);
  mkdirSync(log);
  const { code, stderr, stdout } = await start();
  expect([code, stdout]).toEqual([73, ""]);
  expect(stderr).toContain("cannot write the audit log");
});

test.each([[[]], [["--entry"]], [["--entry", "a/b"]], [["--entry", "a/b", "--"]], [["--", "true"]]])(
  "%j are no words for run",
  async (args) => {
    const { code, stderr } = await mcpSecrets(["run", ...args], { env: home.env });
    expect([code, stderr]).toEqual([64, expect.stringContaining("mcp-secrets run --entry CLIENT/SERVER -- COMMAND")]);
  },
);

test("a command that only the longer PATH finds brings its folder along", async () => {
  const bin = join(home.home, ".local/bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "mcps-only-here"), '#!/bin/sh\nprintf %s "$PATH"\n');
  chmodSync(join(bin, "mcps-only-here"), 0o755);
  const server = { command: "mcps-only-here", env: { API_KEY: VALUE } };
  entry = entryOf(await migrated(home, { one: server }), "one");
  const path = home.env["PATH"] ?? "";
  expect(await start()).toMatchObject({ code: 0, stdout: `${path}:${bin}` });
});

test("of launches that nobody forgot the notes do not grow without end", async () => {
  await start();
  const folder = join(home.home, ".mcp-secrets/journal/launches");
  const note = (pid: number) => ({ v: 1, id: `x${pid}`, entry: "a/b", pid, started: "1", since: "", refs: [] });
  for (let pid = 1; pid <= 300; pid += 1) writeFileSync(join(folder, `x${pid}.json`), JSON.stringify(note(pid)));
  await start();
  expect(readdirSync(folder).length).toBeLessThan(3);
});

test("ps shows a launch that lives, with the version that it holds, and forgets the dead", async () => {
  const server = { command: "/bin/cat", env: { API_KEY: VALUE } };
  entry = entryOf(await migrated(home, { one: server }), "one");
  const client = spawn(entry.command, entry.args, { env: { ...home.env, ...entry.env }, cwd: home.work });
  const line = new Promise((done) => client.stdout.once("data", done));
  client.stdin.write("up\n");
  await line;
  const ps = async () => JSON.parse((await mcpSecrets(["ps", "--json"], { env: home.env })).stdout);
  const refs = [{ ref: "mcp-secret://local/one/API_KEY", version: 1 }];
  expect(await ps()).toMatchObject({ schema: "mcp-secrets/ps/1", launches: [{ pid: client.pid, refs, leases: [] }] });
  expect((await mcpSecrets(["ps"], { env: home.env })).stdout).toMatch(/^ENTRY +PID +SINCE +SECRETS\n.*\/one .* v1\n$/);
  const reference = "mcp-secret://local/one/API_KEY";
  await mcpSecrets(["set", reference], { env: home.env, input: "another" });
  expect(await ps()).toMatchObject({ launches: [{ refs: [{ version: 1, current: 2 }] }] });
  expect((await mcpSecrets(["ps"], { env: home.env })).stdout).toMatch(/ v1 \(old: now v2\)\n$/);
  // What the store cannot tell hides nothing of the launch.
  await mcpSecrets(["rm", reference, "--yes"], { env: home.env });
  expect((await ps()).launches[0].refs).toEqual(refs);
  const end = new Promise((done) => client.once("exit", done));
  client.kill("SIGKILL");
  await end;
  expect(await ps()).toMatchObject({ launches: [] });
  expect(existsSync(join(home.home, ".mcp-secrets/journal/launches"))).toBe(true);
  expect((await mcpSecrets(["ps"], { env: home.env })).stdout).toBe("no launch lives\n");
});
