import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, type Home, LONG, ended, execute, makeHome } from "../helpers/cli.ts";
import { isAlive, launched, until } from "../helpers/launched.ts";
import { type ServerEntry, entryOf, migrated } from "../helpers/migrated.ts";

/** The launcher between real clients' habits and real processes. */

/** Where the runtime can, the server takes the launcher's place: then nobody is there to end a stubborn one. */
const SUPERVISED = typeof Reflect.get(process, "execve") !== "function";
const ON_LINUX = process.platform === "linux";
/** All that a launcher started is gone by then (docs: launch contract), in milliseconds. */
const CONTRACT = 4000;

const PROGRAMS = ["ends", "polite", "stubborn", "leaves"] as const;
let home: Home;
let entries: Readonly<Record<string, ServerEntry>>;

beforeAll(async () => {
  home = makeHome();
  const entry = (name: string) => ({
    command: "/bin/sh",
    args: [resolve(import.meta.dirname, `../programs/${name}.sh`)],
    env: { API_KEY: `sk-live-4f8a1b0c7d2e-${name}` },
  });
  entries = await migrated(home, Object.fromEntries(PROGRAMS.map((name) => [name, entry(name)])));
  expect(Object.values(entries).map(({ args: [word] }) => word)).toEqual(PROGRAMS.map(() => "run"));
});
afterAll(() => home[Symbol.dispose]());

function end(env: Record<string, string>): Promise<Ended> {
  const { command, args, env: own } = entryOf(entries, "ends");
  return execute(command, args, { env: { ...home.env, ...own, ...env }, cwd: home.work });
}

const CODES = LONG ? Array.from({ length: 256 }, (_, code) => code) : [0, 1, 2, 42, 78, 126, 127, 128, 130, 255];

test("ends with the code of the server", async () => {
  for (const code of CODES) expect(await end({ CODE: String(code) })).toMatchObject({ code, signal: null, stderr: "" });
});

const SIGNALS = ["HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "SEGV", "PIPE", "ALRM", "TERM"] as const;

test.each(SIGNALS)("ends by the signal of the server: %s", async (name) => {
  expect(await end({ SIGNAL: name })).toMatchObject({ code: null, signal: `SIG${name}`, stdout: "", stderr: "" });
});

/** The launcher itself does not die of a broken pipe, as no Node does. */
const SENT = ["HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "USR2", "SEGV", "ALRM", "TERM"] as const;

describe.each(["once", "twice"])("a signal that comes %s", (times) => {
  test.each(SENT)("SIG%s ends all of it", async (name) => {
    const signal = `SIG${name}` as const;
    const { client, pids } = await launched(entryOf(entries, "polite"), home, `${times}-${name}`);
    const how = ended(client);
    client.kill(signal);
    if (times === "twice") client.kill(signal);
    // The launcher must be deaf to what would open a debugger.
    if (name === "USR1") client.kill("SIGTERM");
    const by = name === "USR1" && SUPERVISED ? "SIGTERM" : signal;
    expect(await how).toMatchObject({ code: null, signal: by });
    expect(await until(() => !pids.some(isAlive), CONTRACT)).toBe(true);
  });
});

/** What a client does, and how long after the start of its end, in milliseconds. */
type Step = readonly [at: number, what: "end" | NodeJS.Signals];

/** Measured on the clients named. */
const LADDERS: Readonly<Record<string, readonly Step[]>> = {
  "closes stdin and waits (mcpc)": [[0, "end"]],
  "SDKs, qwen list, inspector": [
    [0, "end"],
    [2000, "SIGTERM"],
    [4000, "SIGKILL"],
  ],
  claude: [
    [0, "SIGINT"],
    [100, "SIGTERM"],
    [500, "SIGKILL"],
  ],
  codex: [
    [0, "end"],
    [0, "SIGTERM"],
    [0, "SIGTERM"],
    [2000, "SIGKILL"],
  ],
  "codex that is quitting": [
    [0, "end"],
    [0, "SIGTERM"],
    [15, "SIGKILL"],
  ],
  copilot: [
    [0, "SIGTERM"],
    [4, "SIGKILL"],
  ],
  "gemini, mcp-hub: never a SIGKILL": [[0, "SIGTERM"]],
  cline: [
    [0, "end"],
    [250, "SIGTERM"],
    [2250, "SIGKILL"],
  ],
  mcporter: [
    [0, "end"],
    [700, "SIGTERM"],
    [1400, "SIGKILL"],
  ],
  chuk: [
    [0, "end"],
    [0, "SIGTERM"],
    [1000, "SIGKILL"],
  ],
  "VS Code": [
    [0, "end"],
    [10_000, "SIGTERM"],
    [20_000, "SIGKILL"],
  ],
  "a hang-up": [[0, "SIGHUP"]],
  "a SIGKILL and nothing else": [[0, "SIGKILL"]],
};

describe.each(["polite", "stubborn"])("a %s server is gone in time with its child", (server) => {
  const possible = (SUPERVISED && ON_LINUX) || server === "polite";
  test.runIf(possible).concurrent.each(Object.entries(LADDERS))("%s", async (name, steps) => {
    const { client, pids } = await launched(entryOf(entries, server), home, `${server}-${name.replace(/\W/g, "")}`);
    const began = performance.now();
    const climbing = climb(client, steps);
    const gone = await until(() => !pids.some(isAlive), CONTRACT);
    const left = pids.map((pid) => [pid, isAlive(pid)]);
    expect(gone, `${JSON.stringify(left)} after ${performance.now() - began} ms`).toBe(true);
    await climbing;
  });
});

async function climb(client: ChildProcess, steps: readonly Step[]) {
  const began = performance.now();
  const over = new Promise((done) => client.once("exit", done));
  for (const [at, what] of steps) {
    await Promise.race([over, sleep(Math.max(0, at - (performance.now() - began)))]);
    if (client.exitCode !== null || client.signalCode !== null) return;
    if (what === "end") client.stdin?.end();
    else client.kill(what);
  }
}

test.runIf(SUPERVISED)("ends at once with its server, and what the server left is ended behind it", async () => {
  const { client, pids } = await launched(entryOf(entries, "leaves"), home, "leaves");
  expect(await until(() => client.exitCode !== null, CONTRACT)).toBe(true);
  expect(client.exitCode).toBe(3);
  expect(await until(() => !pids.some(isAlive), CONTRACT)).toBe(true);
});

test("the signals of the table are those of this system", () => {
  expect(SIGNALS.filter((name) => constants.signals[`SIG${name}`] === undefined)).toEqual([]);
});
