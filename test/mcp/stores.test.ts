import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { findCanaries } from "../helpers/canary.ts";
import { type Home, makeHome, mcpSecrets } from "../helpers/cli.ts";
import { CLIENTS, type Talk, variablesIn } from "../helpers/mcp-clients.ts";
import { entryOf, type ServerEntry } from "../helpers/migrated.ts";
import { watchTree } from "../helpers/proc.ts";
import { writeIn } from "../providers/aws/store.ts";
import { startMoto } from "../servers/aws.ts";
import { auditEntries, launchTokens, ROOT_TOKEN, startOpenBao } from "../servers/openbao.ts";
import { startStrictSecrets } from "../servers/strict-secrets.ts";

/**
 * The whole way with the official clients and server: plaintext in a config, migrated into a store of a team, the server
 * started by a client, the config restored. The value is with the store and the server, and nowhere else on the way.
 */

const VALUE = "sk-live-stores-canary-0001";
const SERVER = resolve("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
const ORIGINAL = `${JSON.stringify({ mcpServers: { everything: { command: "node", args: [SERVER], env: { API_KEY: VALUE } } } }, undefined, 4)}\n`;

interface Team {
  readonly home: Home;
  readonly printed: string[];
  cli(...args: string[]): Promise<string>;
  entry(): ServerEntry;
}

async function makeTeam(name: string, ...settings: string[]): Promise<Team> {
  const home = makeHome();
  onTestFinished(() => home[Symbol.dispose]());
  writeFileSync(join(home.home, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  writeIn(home.home, ".aws/config", "[default]\nregion = eu-central-1\n");
  writeIn(
    home.home,
    ".aws/credentials",
    "[default]\naws_access_key_id = test\naws_secret_access_key = broker-canary\n",
  );
  const printed: string[] = [];
  const cli = async (...args: string[]) => {
    const ended = await mcpSecrets(args, { env: home.env, cwd: home.work });
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    printed.push(ended.stdout, ended.stderr);
    return ended.stdout;
  };
  const config = join(home.work, "config.json");
  writeFileSync(config, ORIGINAL);
  await cli("store", "add", name, ...settings);
  return {
    home,
    printed,
    cli,
    entry: () => entryOf(JSON.parse(readFileSync(config, "utf8")).mcpServers, "everything"),
  };
}

/** Everything from the migration to the restore; `during` sees each launch while it lives, `after` when it was closed. */
async function wholeWay(
  { home, printed, cli, entry }: Team,
  store: string,
  { ready, during, after }: Record<"ready" | "during" | "after", () => Promise<void>>,
): Promise<void> {
  const watch = watchTree(process.pid);
  await cli("migrate", "--config", "config.json", "--store", store, "--yes");
  expect(entry().env["API_KEY"]).toMatch(new RegExp(`^mcp-secret://${store}/(kv/)?everything/API_KEY$`));
  await ready();
  for (const talk of Object.values<Talk>(CLIENTS)) {
    const { tools, results } = await talk(home, entry(), [{ name: "get-env", arguments: {} }], during);
    expect(tools.length).toBeGreaterThan(3);
    const seen = variablesIn(results[0]);
    expect(seen["API_KEY"]).toBe(VALUE);
    expect(Object.keys(seen).filter((variable) => /^(AWS|VAULT|BAO|MCPS)_/.test(variable))).toEqual([]);
    await after();
  }
  const words = watch.stop();
  expect(words.some((text) => text.includes("server-everything"))).toBe(true);
  expect([...words, ...printed].filter((text) => text.includes(VALUE))).toEqual([]);
  expect(findCanaries([home.root], [VALUE])).toEqual([]);
  await cli("restore", "--config", "config.json", "--yes");
  expect(readFileSync(join(home.work, "config.json"), "utf8")).toBe(ORIGINAL);
}

const nothing = async () => {};

test("OpenBao: each launch has a token of its own with our metadata; two seconds after close none lives", async () => {
  await using bao = await startOpenBao();
  const team = await makeTeam("team", "--provider", "vault", "--address", bao.address, "--mount", "kv=secret");
  const leasesOfTokens = async () => {
    const { body } = await bao.call("LIST", "sys/leases/lookup/auth/token/create", undefined, { loose: true });
    return body.data?.keys ?? [];
  };
  // The server's own root token is one.
  const leases = await leasesOfTokens();
  await wholeWay(team, "team", {
    async ready() {
      const text = await team.cli(
        "store",
        "policy",
        "--server",
        "everything",
        "--store",
        "team",
        "--config",
        "config.json",
      );
      await bao.call("POST", "sys/policies/acl/mcp-everything", { policy: text.split("# What the login")[0] ?? "" });
    },
    during: nothing,
    async after() {
      await sleep(2_000);
      expect([await launchTokens(bao), await leasesOfTokens()]).toEqual([[], leases]);
    },
  });
  // The audit device has each read under the token of its launch.
  const reads = auditEntries(bao).filter(({ type, request, auth }) => {
    return type === "response" && request.path === "secret/data/everything/API_KEY" && auth.metadata?.launch;
  });
  const log = readFileSync(join(team.home.home, ".mcp-secrets/audit/audit.jsonl"), "utf8").trim().split("\n");
  const launches = log.map((line) => JSON.parse(line)).filter(({ event }) => event === "launched");
  expect(launches).toHaveLength(2);
  expect(reads.map(({ auth }) => auth.metadata)).toEqual(
    launches.map(({ launch, entry }) => {
      const [client, server] = entry.split("/");
      return { launch, client, server, host: expect.any(String) };
    }),
  );
  for (const { auth } of reads) expect(auth.policies).toContain("mcp-everything");
  expect(readFileSync(bao.auditLog, "utf8")).not.toContain(VALUE);
});

describe("Secrets Manager", () => {
  test.each(["moto", "strict"])("%s: the server gets the value, the config comes back", async (kind) => {
    await using aws = await (kind === "moto" ? startMoto() : startStrictSecrets());
    const ends = ["--endpoint", aws.address, "--sts-endpoint", aws.address];
    const team = await makeTeam("prod", "--provider", "aws", ...ends);
    await wholeWay(team, "prod", { ready: nothing, during: nothing, after: nothing });
    expect(findCanaries([join(team.home.home, ".mcp-secrets")], ["broker-canary"])).toEqual([]);
  });
});
