import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execute, makeHome } from "../helpers/cli.ts";
import { type ServerEntry, entryOf, migrated } from "../helpers/migrated.ts";
import { npmPackages } from "../servers/cache.ts";

/** Real clients start a rewritten entry. Installed by the test itself; Claude Code and Codex: test/real-clients.sh. */

const VALUE = "probe-canary-5d41402abc4b2a76";
const home = makeHome();
const out = join(home.work, "probe.json");
const config = join(home.work, "config.json");
const llm = spawn(process.execPath, [resolve("test/servers/llm.mjs")], { stdio: ["ignore", "pipe", "inherit"] });
let entry: ServerEntry;
let model = "";

beforeAll(async () => {
  const port = await new Promise<string>((found) =>
    llm.stdout.once("data", (text: Buffer) => found(String(text).trim())),
  );
  model = `http://127.0.0.1:${port}`;
  const args = [resolve("test/servers/probe.mjs"), out];
  entry = entryOf(await migrated(home, { probe: { command: "node", args, env: { PROBE_TOKEN: VALUE } } }), "probe");
});

afterAll(() => {
  llm.kill();
  home[Symbol.dispose]();
});

interface RealClient {
  readonly package: string;
  readonly bin: string;
  readonly says: string;
  /** The arguments, once what they name is written. */
  readonly args: () => readonly string[];
}

const clients: readonly RealClient[] = [
  {
    package: "mcporter@0.12.3",
    bin: "mcporter",
    says: "probe says yo",
    args: () => ["--config", config, "call", "probe.where_am_i", "text=yo"],
  },
  {
    package: "@wong2/mcp-cli@2.0.0",
    bin: "mcp-cli",
    says: "probe says yo",
    args: () => ["-c", config, "call-tool", "probe:where_am_i", "--args", '{"text":"yo"}'],
  },
  { package: "@continuedev/cli@1.5.47", bin: "cn", says: "model heard: probe says from-agent", args: continueArgs },
];

for (const { package: name, bin, says, args } of clients) {
  test(`${name} starts a rewritten entry`, async ({ skip }) => {
    const folder = npmPackages(`client-${bin}`, [name]);
    if (folder === undefined) return skip(`SKIPPED: ${name} cannot be installed`);
    rmSync(out, { force: true });
    const done = await execute(join(folder, "node_modules/.bin", bin), args(), { env: home.env, cwd: home.work });
    expect(done.stdout + done.stderr).toContain(says);
    expect(existsSync(out)).toBe(true);
    const seen = JSON.parse(readFileSync(out, "utf8"));
    expect(seen.PROBE_TOKEN).toBe(VALUE);
    expect(seen.names.filter((variable: string) => variable.startsWith("MCPS_"))).toEqual([]);
  });
}

/** Continue reads a config of its own shape, with a model. JSON is YAML. */
function continueArgs(): readonly string[] {
  const path = join(home.work, "continue.yaml");
  const chat = {
    name: "fake",
    provider: "openai",
    model: "gpt-4o",
    apiBase: `${model}/v1`,
    apiKey: "x",
    roles: ["chat"],
  };
  const servers = [{ name: "probe", ...entry }];
  writeFileSync(
    path,
    JSON.stringify({ name: "t", version: "1.0.0", schema: "v1", models: [chat], mcpServers: servers }),
  );
  return ["--config", path, "--auto", "-p", "hi"];
}
