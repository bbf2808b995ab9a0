import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { findCanaries } from "./helpers/canary.ts";
import {
  type Ended,
  ended,
  execute,
  type Home,
  LAUNCHER,
  LONG,
  makeHome,
  mcpSecrets,
  resetHome,
  saveHome,
} from "./helpers/cli.ts";
import { entryOf } from "./helpers/migrated.ts";
import { writeIn } from "./providers/aws/store.ts";
import { type Gateway, startGateway } from "./servers/gateway.ts";
import { type OpenBao, ROOT_TOKEN, startOpenBao } from "./servers/openbao.ts";
import { startStrictSecrets, type StrictSecrets } from "./servers/strict-secrets.ts";

/**
 * kill -9 at every file operation and around every request of a migration to Secrets Manager, and of a move from the
 * local store to OpenBao. After each the config is old or new and its references lead to their values; the same command
 * again ends it, with one version of each secret. `npm test` samples; `npm run test:long` takes each.
 */

const KILL_AT = resolve(import.meta.dirname, "helpers/kill-at.cjs");
const SHOW = "console.log(JSON.stringify(process.env))";
/** So many kills of each kind where they are sampled. */
const SAMPLES = 5;

/** Where the secrets go to, as the test sees it. */
interface Target {
  readonly store: string;
  /** `store add` without the name. */
  readonly settings: readonly string[];
  /** Forgets all secrets. */
  reset(): Promise<void>;
  /** The value behind a path, and how many versions there are of it. */
  read(path: string): Promise<{ readonly value: string | undefined; readonly versions: number }>;
  /** Requests since the last reset. */
  requests(): number;
  /** Calls `kill` at request `number` after the last reset, before or after it is done. */
  killAt(number: number, when: "before" | "after", kill: () => void): void;
  letPass(): void;
}

interface World {
  readonly home: Home;
  readonly target: Target;
  readonly values: Readonly<Record<string, string>>;
  readonly args: readonly string[];
}

const secretsOf = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`KEY_${at}_TOKEN`, `crash-canary-${1000 + at}`]));

/** A home with the store set up and a config with plaintext. */
async function makeWorld(target: Target, count: number): Promise<World> {
  const home = makeHome();
  onTestFinished(() => home[Symbol.dispose]());
  const values = secretsOf(count);
  writeIn(home.home, ".aws/config", "[default]\nregion = eu-central-1\n");
  writeIn(home.home, ".aws/credentials", "[default]\naws_access_key_id = test\naws_secret_access_key = test\n");
  writeFileSync(join(home.home, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  await succeeds(home, ["store", "add", target.store, ...target.settings]);
  const server = { command: process.execPath, args: ["-e", SHOW], env: values };
  writeFileSync(join(home.work, "config.json"), JSON.stringify({ mcpServers: { s: server } }));
  return { home, target, values, args: ["migrate", "--config", "config.json", "--store", target.store, "--yes"] };
}

async function succeeds(home: Home, args: readonly string[]): Promise<Ended> {
  const done = await mcpSecrets(args, { env: home.env, cwd: home.work });
  expect(done, done.stderr).toMatchObject({ code: 0 });
  return done;
}

const config = ({ home }: World) => readFileSync(join(home.work, "config.json"), "utf8");

/** The matrix: `before` brings the home to where the command starts. */
async function survives(world: World, before: () => Promise<void>): Promise<void> {
  const { home, target, args } = world;
  await before();
  saveHome(home);
  const old = config(world);
  const count = join(home.tmp, "count");
  await target.reset();
  expect(await start(world, { KILL_COUNT: count }).done).toMatchObject({ code: 0 });
  const [operations, requests, fresh] = [Number(readFileSync(count, "utf8")), target.requests(), config(world)];
  expect([operations > 10, requests > 10, fresh === old]).toEqual([true, true, false]);

  const again = async (when: string, kill: () => Promise<void>) => {
    resetHome(home);
    await target.reset();
    await kill();
    target.letPass();
    expect([old, fresh], when).toContain(config(world));
    await referencesLead(world, when);
    const healed = await mcpSecrets(args, { env: home.env, cwd: home.work });
    expect(healed, `${when}: ${healed.stderr}`).toMatchObject({ code: 0 });
    expect(config(world), when).toBe(fresh);
    await referencesLead(world, when);
    expect(await launched(world), when).toMatchObject(world.values);
    expect(findCanaries([home.home, home.tmp], Object.values(world.values)), when).toEqual([]);
  };
  for (const k of steps(operations)) {
    await again(`operation ${k} of ${operations}`, async () => {
      expect((await start(world, { KILL_AT: String(k) }).done).signal).toBe("SIGKILL");
    });
  }
  for (const [at, k] of steps(requests).entries()) {
    for (const when of LONG ? (["before", "after"] as const) : ([at % 2 === 0 ? "before" : "after"] as const)) {
      await again(`${when} request ${k} of ${requests}`, async () => {
        const { done, kill } = start(world, {});
        target.killAt(k, when, kill);
        expect((await done).signal).toBe("SIGKILL");
      });
    }
  }
}

/** All of them, or some from the first to the last. */
function steps(most: number): number[] {
  if (LONG) return Array.from({ length: most }, (_, at) => at + 1);
  return Array.from({ length: SAMPLES }, (_, at) => 1 + Math.round((at * (most - 1)) / (SAMPLES - 1)));
}

function start(
  { home, args }: World,
  env: Readonly<Record<string, string>>,
): { done: Promise<Ended>; kill: () => void } {
  const child = spawn(process.execPath, ["-r", KILL_AT, LAUNCHER, ...args], {
    env: { ...home.env, ...env },
    cwd: home.work,
  });
  return { done: ended(child), kill: () => void child.kill("SIGKILL") };
}

/** Those of the store that is the target; of others the healing run and the launch after it tell. */
async function referencesLead(world: World, when: string): Promise<void> {
  const { env } = entryOf(JSON.parse(config(world)).mcpServers, "s");
  for (const [name, text] of Object.entries(env)) {
    const path = text.split(`mcp-secret://${world.target.store}/`)[1];
    if (path === undefined) continue;
    expect(await world.target.read(path), `${when}: ${name}`).toEqual({ value: world.values[name], versions: 1 });
  }
}

async function launched(world: World): Promise<unknown> {
  const { command, args, env } = entryOf(JSON.parse(config(world)).mcpServers, "s");
  const { stdout, stderr } = await execute(command, args, { env: { ...world.home.env, ...env } });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

describe("to Secrets Manager", () => {
  let aws: StrictSecrets;
  beforeAll(async () => void (aws = await startStrictSecrets()));
  afterAll(() => aws?.[Symbol.asyncDispose]());

  const target = (): Target => ({
    store: "prod",
    settings: ["--provider", "aws", "--endpoint", aws.address, "--sts-endpoint", aws.address],
    reset: async () => aws.reset(),
    async read(path) {
      const versions = [...(aws.secrets.get(path)?.versions.values() ?? [])];
      return { value: versions[0]?.text, versions: versions.length };
    },
    requests: () => aws.asked.length,
    killAt(number, when, kill) {
      aws.fault = (_, count) => {
        if (count !== number) return undefined;
        kill();
        return { type: when === "before" ? "hang" : "lost" };
      };
    },
    letPass: () => void (aws.fault = () => undefined),
  });

  test("a migration of thirty secrets survives kill -9", { timeout: 3_600_000 }, async () => {
    const world = await makeWorld(target(), 30);
    await survives(world, async () => {});
    expect(aws.secrets.size).toBe(30);
  });
});

describe("to OpenBao", () => {
  let bao: OpenBao;
  let gateway: Gateway;
  beforeAll(async () => {
    bao = await startOpenBao();
    gateway = await startGateway(bao.address);
  });
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await bao?.[Symbol.asyncDispose]();
  });

  const target = (): Target => {
    let first = 0;
    return {
      store: "team",
      settings: ["--provider", "vault", "--address", gateway.address, "--mount", "kv=secret"],
      async reset() {
        const { body } = await bao.call("LIST", "secret/metadata/s", undefined, { loose: true });
        for (const name of body.data?.keys ?? []) await bao.call("DELETE", `secret/metadata/s/${name}`);
        first = gateway.count();
      },
      async read(path) {
        const name = path.replace(/^kv\//, "");
        const [{ body: data }, { body: metadata }] = await Promise.all([
          bao.call("GET", `secret/data/${name}`),
          bao.call("GET", `secret/metadata/${name}`),
        ]);
        return { value: data.data.data.value, versions: metadata.data.current_version };
      },
      requests: () => gateway.count() - first,
      killAt(number, when, kill) {
        gateway.around = (count, now) => {
          if (count - first !== number || now !== when) return true;
          kill();
          return false;
        };
      },
      letPass: () => void (gateway.around = () => true),
    };
  };

  test("a move of ten secrets from the local store survives kill -9", { timeout: 3_600_000 }, async () => {
    const world = await makeWorld(target(), 10);
    const { home } = world;
    await survives(world, async () => {
      await succeeds(home, ["migrate", "--config", "config.json", "--store", "local", "--yes"]);
      await succeeds(home, ["migrate", "--config", "config.json", "--store", "team", "--yes"]);
      const policy = await succeeds(home, [
        "store",
        "policy",
        "--server",
        "s",
        "--store",
        "team",
        "--config",
        "config.json",
      ]);
      await bao.call("POST", "sys/policies/acl/mcp-s", { policy: policy.stdout.split("# What the login")[0] ?? "" });
      await succeeds(home, ["migrate", "--config", "config.json", "--store", "local", "--yes"]);
    });
    const { body } = await bao.call("LIST", "secret/metadata/s");
    expect(body.data.keys).toHaveLength(10);
  });
});
