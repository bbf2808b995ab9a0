import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { findCanaries } from "../../helpers/canary.ts";
import { type Ended, ended, execute, type Home, makeHome, mcpSecrets } from "../../helpers/cli.ts";
import { entryOf, migrated, type ServerEntry } from "../../helpers/migrated.ts";
import { APP, type GitHubServer, INSTALLATION, startGitHub } from "../../servers/github.ts";

/** Prints its variable, then waits for the end of its input. */
const SERVER = `console.log(process.env.GITHUB_TOKEN); process.stdin.resume().on("end", () => process.exit(0));`;

let github: GitHubServer;
beforeAll(async () => (github = await startGitHub()));
afterAll(() => github[Symbol.asyncDispose]());
beforeEach(() => github.tokens.clear());

/** A user with the app's key in the local store, and an entry that wants a token. */
async function makeEntry(): Promise<{ home: Home; entry: ServerEntry; cli: (...args: string[]) => Promise<Ended> }> {
  const home = makeHome();
  onTestFinished(() => home[Symbol.dispose]());
  const cli = (...args: string[]) => mcpSecrets(args, { env: home.env, cwd: home.work });
  const key = "mcp-secret://local/github-app/key";
  expect(await mcpSecrets(["set", key], { env: home.env, cwd: home.work, input: github.privateKey })).toMatchObject({
    code: 0,
  });
  const app = ["--app", APP, "--installation", String(INSTALLATION), "--key-ref", key, "--endpoint", github.address];
  const token = ["--token", "reader=app,site:contents=read,issues=write", "--token", "any=*:metadata=read"];
  expect(await cli("store", "add", "gh", "--provider", "github-app", ...app, ...token)).toMatchObject({ code: 0 });
  const env = { GITHUB_TOKEN: "mcp-secret://gh/reader#token" };
  const entries = await migrated(home, { github: { command: process.execPath, args: ["-e", SERVER], env } });
  return { home, entry: entryOf(entries, "github"), cli };
}

async function start(home: Home, entry: ServerEntry) {
  const child = spawn(entry.command, entry.args, { env: { ...home.env, ...entry.env }, stdio: "pipe" });
  const done = ended(child);
  const token = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
    void done.then(({ stderr }) => reject(new Error(stderr)));
  });
  return { child, done, token };
}

const leftIn = (home: Home) =>
  ["leases", "github-app"].flatMap((name) => {
    const folder = join(home.home, ".mcp-secrets/journal", name);
    return existsSync(folder) ? readdirSync(folder) : [];
  });

test("a server gets a token of its own, which ends with it", async () => {
  const { home, entry, cli } = await makeEntry();
  expect(await cli("store", "check", "gh")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("ok  token reader: the installation has what it asks for"),
  });
  const { child, done, token } = await start(home, entry);
  expect(github.tokens.get(token)).toEqual({
    repositories: ["app", "site"],
    permissions: { contents: "read", issues: "write" },
  });
  expect(findCanaries([join(home.home, ".mcp-secrets")], [token])).toEqual([]);
  expect(JSON.parse((await cli("ps", "--json")).stdout).launches[0].leases).toEqual([
    { store: "gh", id: expect.stringMatching(/^[0-9a-f]{24}$/) },
  ]);
  child.stdin.end();
  expect(await done).toMatchObject({ code: 0 });
  expect([github.tokens.size, leftIn(home)]).toEqual([0, []]);
});

test("nothing is stored there: it is no default, and set says so", async () => {
  const { cli, home } = await makeEntry();
  expect(await cli("store", "default", "gh")).toMatchObject({
    code: 77,
    stderr: expect.stringContaining("store gh keeps nothing"),
  });
  const set = await mcpSecrets(["set", "mcp-secret://gh/x"], { env: home.env, cwd: home.work, input: "v" });
  expect(set.code).toBeGreaterThan(63);
});

test("what is no token is refused with an example", async () => {
  const { cli } = await makeEntry();
  for (const text of ["reader", "reader=app", "reader=app:contents", "=app:contents=read"]) {
    const added = await cli("store", "add", "two", "--provider", "github-app", "--token", text);
    expect(added).toMatchObject({ code: 64, stderr: expect.stringContaining("--token reader=app,site:contents=read") });
  }
});

test("a launcher that is killed leaves no token behind", async () => {
  const { home, entry } = await makeEntry();
  const { child, done } = await start(home, entry);
  expect(github.tokens.size).toBe(1);
  child.kill("SIGKILL");
  await done;
  await expect.poll(() => [github.tokens.size, leftIn(home)], { timeout: 20_000 }).toEqual([0, []]);
});

test("a start with the local store alone loads nothing of it", async () => {
  const { home } = await makeEntry();
  const env = { ...home.env, NODE_DEBUG: "module" };
  const got = await execute(
    process.execPath,
    ["dist/launcher.cjs", "get", "mcp-secret://local/github-app/key", "--force-stdout"],
    { env },
  );
  expect(got.code).toBe(0);
  expect(got.stderr).not.toContain("github-app.cjs");
});
