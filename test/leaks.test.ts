import { spawn } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findCanaries } from "./helpers/canary.ts";
import { type Home, LAUNCHER, ended, makeHome, mcpSecrets, resetHome, saveHome } from "./helpers/cli.ts";
import { entryOf, migrated } from "./helpers/migrated.ts";
import { treeOf, watchTree } from "./helpers/proc.ts";

/** No command, however talkative, shows a value: not on its outputs, not in the process list, not in what Node dumps. */

const VALUE = "sk-live-leak-canary-0001";
const TYPED = "leak-canary-typed-0002";
const ON_LINUX = process.platform === "linux";
const REF = "mcp-secret://local/mail/API_KEY";

const commands: readonly (readonly string[])[] = [
  ["migrate", "--config", "fresh.json", "--dry-run"],
  ["migrate", "--config", "fresh.json", "--dry-run", "--json"],
  ["migrate", "--config", "fresh.json", "--yes"],
  ["migrate", "--config", "fresh.json", "--yes", "--json"],
  ["migrate", "--config", "broken.json", "--yes"],
  ["migrate", "--config", "broken.json", "--yes", "--json"],
  ["scan", "--config", "fresh.json"],
  ["scan", "--config", "fresh.json", "--json"],
  ["restore", "--list"],
  ["restore", "--list", "--json"],
  ["restore", "--config", "config.json", "--dry-run"],
  ["restore", "--config", "config.json", "--yes"],
  ["set", "mcp-secret://local/mail/OTHER"],
  ["set", REF],
  ["get", REF],
  ["list"],
  ["list", "--json"],
  ["approvals"],
  ["approvals", "--json"],
  ["approve", "no/such"],
  ["ps"],
  ["ps", "--json"],
  ["rotate", "--due"],
  ["rotate", "--exposed"],
  ["rotate", "--exposed", "--json"],
  ["rotate", REF],
  ["rotate", REF, "--guide"],
  ["rotate", "status", "--json"],
  ["rm", REF, "--yes"],
  ["run", "--entry", "no/such", "--", "node", "-e", "0"],
  ["completion", "bash"],
];

const environments: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "nothing set": {},
  "all debugging on": { DEBUG: "*", NODE_DEBUG: "*", MCPS_DEBUG: "1", FORCE_COLOR: "1" },
};

for (const [named, env] of Object.entries(environments)) {
  test(`no command shows a value, with ${named}`, async () => {
    using home = makeHome();
    await populate(home);
    saveHome(home);
    for (const args of commands) {
      resetHome(home);
      // The launcher finds references in its environment, as a client gives them.
      const start = { env: { ...home.env, ...env, API_KEY: REF }, cwd: home.work, input: `${TYPED}\n` };
      const done = await mcpSecrets(args, start);
      const shown = done.stdout + done.stderr;
      expect(shown.includes(VALUE) || shown.includes(TYPED), `mcp-secrets ${args.join(" ")}`).toBe(false);
      expect(findCanaries([home.home, home.tmp], [VALUE, TYPED])).toEqual([]);
    }
  });
}

test.runIf(ON_LINUX)(
  "no value is in the arguments of any process, nor in the environment of the launcher",
  async () => {
    using home = makeHome();
    await populate(home);
    const config = JSON.parse(readFileSync(join(home.work, "config.json"), "utf8"));
    const { command, args, env } = entryOf(config.mcpServers, "mail");
    const child = spawn(command, args, {
      env: { ...home.env, ...env },
      cwd: home.work,
      stdio: ["pipe", "pipe", "inherit"],
    });
    const watch = watchTree(child.pid ?? -1);
    await new Promise((ready) => child.stdout.once("data", ready));
    const tree = treeOf(child.pid ?? -1);
    const launchers = tree.filter(({ words }) => words.includes("--entry"));
    for (const { pid } of launchers) expect(readFileSync(`/proc/${pid}/environ`, "utf8")).not.toContain(VALUE);
    child.stdin.end();
    await ended(child);
    const seen = watch.stop();
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.filter((words) => words.includes(VALUE))).toEqual([]);

    // The commands that read and write values, too.
    for (const words of [
      ["set", REF],
      ["get", REF, "--force-stdout"],
      ["migrate", "--config", "fresh.json", "--yes"],
    ]) {
      const other = spawn(process.execPath, [LAUNCHER, ...words], { env: home.env, cwd: home.work });
      const watching = watchTree(other.pid ?? -1);
      other.stdin.end(TYPED);
      await ended(other);
      const lines = watching.stop();
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.filter((line) => line.includes(VALUE) || line.includes(TYPED))).toEqual([]);
    }
  },
);

test("Node's own reports of the launcher hold no value", async () => {
  using home = makeHome();
  await populate(home);
  const { mail } = JSON.parse(readFileSync(join(home.work, "config.json"), "utf8")).mcpServers;
  const flags = ["--report-on-signal", "--report-uncaught-exception", `--report-directory=${home.tmp}`];
  const words = mail.args as string[];
  // SIGUSR2 makes Node write a report while the server runs.
  const child = spawn(process.execPath, [...flags, LAUNCHER, ...words], {
    env: { ...home.env, ...mail.env },
    cwd: home.work,
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((ready) => child.stdout.once("data", ready));
  const end = ended(child);
  child.kill("SIGUSR2");
  for (let tries = 0; tries < 100 && readdirSync(home.tmp).length === 0; tries += 1)
    await new Promise((next) => setTimeout(next, 50));
  child.stdin.end();
  await end;
  expect(readdirSync(home.tmp)).not.toEqual([]);
  expect(findCanaries([home.tmp], [VALUE])).toEqual([]);
});

test("a core that the system keeps of a crashed launcher holds no value", async () => {
  using home = makeHome();
  await populate(home);
  const { mail } = JSON.parse(readFileSync(join(home.work, "config.json"), "utf8")).mcpServers;
  const child = spawn("sh", ["-c", 'ulimit -c unlimited; exec "$@"', "sh", mail.command, ...mail.args], {
    env: { ...home.env, ...mail.env },
    cwd: home.tmp,
    stdio: ["pipe", "pipe", "ignore"],
  });
  await new Promise((ready) => child.stdout.once("data", ready));
  child.kill("SIGABRT");
  await ended(child);
  expect(findCanaries([home.tmp], [VALUE])).toEqual([]);
});

/** A migrated config with a server that waits for the end of its input, and two configs that are not migrated. */
async function populate(home: Home): Promise<void> {
  const server = join(home.work, "server.cjs");
  writeFileSync(server, 'console.log("up"); process.stdin.resume().on("end", () => process.exit(0));');
  await migrated(home, { mail: { command: "node", args: [server], env: { API_KEY: VALUE } } });
  const fresh = {
    mcpServers: { late: { command: "node", args: [`--token=${VALUE}`], env: { OTHER_API_KEY: TYPED } } },
  };
  writeFileSync(join(home.work, "fresh.json"), JSON.stringify(fresh));
  writeFileSync(join(home.work, "broken.json"), `${JSON.stringify(fresh).slice(0, -3)} ${VALUE}`);
}
