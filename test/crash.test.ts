import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { filesUnder, findCanaries } from "./helpers/canary.ts";
import {
  type Ended,
  type Home,
  LAUNCHER,
  LONG,
  execute,
  has,
  makeHome,
  mcpSecrets,
  resetHome,
  saveHome,
} from "./helpers/cli.ts";

/**
 * The crash matrix: kill -9 before, and halfway through, every file operation of a command until it completes. After
 * each: the config is the old or the new bytes, every reference in it resolves, no plaintext lies anywhere, and the
 * same command again heals. `npm test` samples the operations; `npm run test:long` takes each.
 */
const STEP = LONG ? 1 : 15;
const TEMPORARY = ".mcp-secrets-tmp-";
const KILL_AT = resolve(import.meta.dirname, "helpers/kill-at.cjs");

const VALUES = {
  "mcp-secret://local/mail/MAIL_TOKEN": "crash-canary-mail-1",
  "mcp-secret://local/shop/API_KEY": "sk-live-crash-canary-2",
  "mcp-secret://local/mail/BIG": "crash-canary-big-3",
};

const CONFIG = `{
  // kept
  "mcpServers": {
    "mail": { "command": "node", "args": ["-e", "0"], "env": { "MAIL_TOKEN": "crash-canary-mail-1" } },
    "shop": { "command": "node", "args": ["-e", "0"], "env": { "API_KEY": "sk-live-crash-canary-2" } }
  }
}
`;

interface Scenario {
  readonly name: string;
  readonly args: readonly string[];
  readonly input?: string;
  /** Brings the home to where the command starts. */
  readonly before?: (home: Home) => Promise<void>;
  /** What must hold after a kill and again after the healing run. */
  readonly after: (home: Home) => Promise<void>;
}

const SCENARIOS: readonly Scenario[] = [
  { name: "migrate", args: ["migrate", "--config", "config.json", "--yes"], after: migratedAndMarked },
  {
    name: "migrate into a store that is there",
    args: ["migrate", "--config", "config.json", "--yes"],
    before: (home) => put(home, "mcp-secret://local/mail/BIG", "crash-canary-big-3"),
    after: async (home) => {
      await migratedAndMarked(home);
      expect(await shown(home, "mcp-secret://local/mail/BIG")).toBe("crash-canary-big-3");
    },
  },
  {
    name: "restore",
    args: ["restore", "--config", "config.json", "--yes"],
    before: (home) => succeeds(home, ["migrate", "--config", "config.json", "--yes"]),
    after: referencesResolve,
  },
  {
    name: "set of a new secret",
    args: ["set", "mcp-secret://local/mail/BIG"],
    input: "crash-canary-big-3",
    after: async (home) =>
      expect([undefined, "crash-canary-big-3"]).toContain(await shown(home, "mcp-secret://local/mail/BIG")),
  },
  {
    name: "set of the next version",
    args: ["set", "mcp-secret://local/mail/BIG"],
    input: "crash-canary-big-3",
    before: (home) => put(home, "mcp-secret://local/mail/BIG", "crash-canary-old-4"),
    after: async (home) =>
      expect(["crash-canary-old-4", "crash-canary-big-3"]).toContain(await shown(home, "mcp-secret://local/mail/BIG")),
  },
];

for (const scenario of SCENARIOS) {
  test(
    `${scenario.name} survives a kill at every file operation`,
    { timeout: LONG ? 1_800_000 : 600_000 },
    async () => {
      using home = makeHome();
      const { states, operations } = await prepare(home, scenario);
      expect(operations).toBeGreaterThan(5);
      for (const halfway of ["0", "1"]) {
        const first = LONG || halfway === "0" ? 1 : 3;
        for (let k = first; k <= operations; k += STEP) {
          resetHome(home);
          const env = { KILL_AT: String(k), KILL_HALFWAY: halfway };
          const killed = await start(home, scenario, { preload: true, env });
          await holds(home, scenario, states, `operation ${k}, halfway ${halfway}, ${killed.signal}`);
        }
      }
    },
  );

  test.runIf(LONG && has("strace"))(
    `${scenario.name} survives a kill at every system call that changes something`,
    { timeout: 3_600_000 },
    async () => {
      using home = makeHome();
      const { states } = await prepare(home, scenario);
      const calls = ["rename", "unlink", "link", "mkdir", "fsync", "fchmod", "fchown", "ftruncate"];
      for (const call of calls) {
        for (let k = 1; k < 200; k += 1) {
          resetHome(home);
          const killed = await traced(home, scenario, call, k);
          if (killed.signal === null && killed.code === 0) break;
          await holds(home, scenario, states, `${call} ${k}`);
        }
      }
    },
  );
}

interface States {
  readonly old: string;
  readonly new: string;
}

/** The template of the home, the two states of the config, and how many operations the command takes. */
async function prepare(home: Home, scenario: Scenario): Promise<{ states: States; operations: number }> {
  writeFileSync(join(home.work, "config.json"), CONFIG);
  await scenario.before?.(home);
  const old = config(home);
  saveHome(home);
  const count = join(home.tmp, "count");
  const done = await start(home, scenario, { preload: true, env: { KILL_COUNT: count } });
  expect(done).toMatchObject({ code: 0 });
  return { states: { old, new: config(home) }, operations: Number(readFileSync(count, "utf8")) };
}

async function holds(home: Home, scenario: Scenario, states: States, when: string): Promise<void> {
  expect([states.old, states.new], when).toContain(config(home));
  // What restore writes beside the config is what it brings back into it: gone with the next command.
  const unhealed = plaintext(home).filter((file) => scenario.name !== "restore" || !file.includes(TEMPORARY));
  expect(unhealed, when).toEqual([]);
  await scenario.after(home);
  const healed = await start(home, scenario, {});
  expect(healed.stderr, when).not.toMatch(/\n\s+at /);
  expect(healed.code === 0 || scenario.name === "restore", `${when}: ${healed.stderr}`).toBe(true);
  expect(config(home), when).toBe(states.new);
  await scenario.after(home);
  expect(plaintext(home), when).toEqual([]);
  expect(leftovers(home), when).toEqual([]);
}

/** Whatever the config refers to gives the value that stood there. */
async function referencesResolve(home: Home): Promise<void> {
  for (const [ref, value] of Object.entries(VALUES)) {
    if (config(home).includes(ref)) expect(await shown(home, ref)).toBe(value);
  }
}

/** Whatever was in plaintext and is no more is known to have been. */
async function migratedAndMarked(home: Home): Promise<void> {
  await referencesResolve(home);
  const marks = join(home.home, ".mcp-secrets", "rotation", "exposed.json");
  for (const ref of ["mcp-secret://local/mail/MAIL_TOKEN", "mcp-secret://local/shop/API_KEY"]) {
    if (config(home).includes(ref)) expect(readFileSync(marks, "utf8")).toContain(ref);
  }
}

/** Files that hold a value, the config apart where it holds them still. */
function plaintext(home: Home): string[] {
  const values = [...Object.values(VALUES), "crash-canary-old-4"];
  const others = readdirSync(home.work)
    .map((name) => join(home.work, name))
    .filter((path) => !path.endsWith("/config.json"));
  return findCanaries([home.home, home.tmp, ...others], values);
}

/** Temporary files of ours beside the user's own. */
function leftovers(home: Home): string[] {
  return filesUnder(home.work).filter((file) => file.includes(TEMPORARY));
}

function config(home: Home): string {
  return readFileSync(join(home.work, "config.json"), "utf8");
}

async function shown(home: Home, ref: string): Promise<string | undefined> {
  const got = await mcpSecrets(["get", ref, "--force-stdout"], { env: home.env, cwd: home.work });
  // Not there is an answer; not readable would be a loss.
  if (got.code !== 0) expect(got.stderr).toContain(`no secret ${ref}`);
  return got.code === 0 ? got.stdout.replace(/\n$/, "") : undefined;
}

async function put(home: Home, ref: string, value: string): Promise<void> {
  const done = await mcpSecrets(["set", ref], { env: home.env, cwd: home.work, input: value });
  expect(done).toMatchObject({ code: 0 });
}

async function succeeds(home: Home, args: readonly string[]): Promise<void> {
  expect(await mcpSecrets(args, { env: home.env, cwd: home.work })).toMatchObject({ code: 0 });
}

function start(
  home: Home,
  scenario: Scenario,
  how: { preload?: boolean; env?: Record<string, string> },
): Promise<Ended> {
  return mcpSecrets(scenario.args, {
    env: { ...home.env, ...how.env },
    cwd: home.work,
    input: scenario.input ?? "",
    nodeArgs: how.preload === true ? ["-r", KILL_AT] : [],
  });
}

/** `strace` kills the launcher at its k-th such call; libuv does some of them in threads, which it follows. */
function traced(home: Home, scenario: Scenario, call: string, k: number): Promise<Ended> {
  const inject = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", `inject=${call}:signal=KILL:when=${k}`];
  return execute("strace", [...inject, process.execPath, LAUNCHER, ...scenario.args], {
    env: home.env,
    cwd: home.work,
    input: scenario.input ?? "",
  });
}
