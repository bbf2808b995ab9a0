import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fastStart } from "../../src/launch/fast.ts";
import { entryCommand, installLauncher, launcherProblem } from "../../src/launch/install.ts";
import { stubTexts } from "../../src/launch/stub.ts";
import { execute, makeHome } from "../helpers/cli.ts";
import { testContext } from "../helpers/context.ts";
import { entryOf, migrated } from "../helpers/migrated.ts";

const HAS_IT = process.platform === "linux" && typeof Reflect.get(process, "execve") !== "function";
const FIRST_LINE =
  /^#!\/usr\/bin\/env -S .* \S+\/bin\/n[0-9a-z]{4} --no-rehash-snapshot --snapshot-blob \S+\/bin\/b[0-9a-z]{4}\n/;

const place = { platform: "linux", version: "1.2.3", nodeFolder: "/n", splits: true, folder: "/h/bin" } as const;
const fastIn = (home: string) => ({ node: `${home}/bin/n0000`, snapshot: `${home}/bin/b0000` });

test("a launcher whose first line has no room for it, or whose path is special, starts without", () => {
  expect(stubTexts({ ...place, fast: fastIn("/home/user/.mcp-secrets") })[0]).toMatch(FIRST_LINE);
  for (const home of [`/${"x".repeat(60)}`, "/home/a b", "/home/a$b", "/home/a=b"]) {
    expect(stubTexts({ ...place, fast: fastIn(home) })[0]).toMatch(/^#!\/usr\/bin\/env -S .* PATH=\/n\S* node\n/);
  }
});

test("only on Linux, and only where the server cannot take the launcher's place", () => {
  using user = testContext();
  const { context } = user;
  const { program } = context;
  expect(fastStart({ ...context, platform: "darwin", program: { ...program, replaces: false } })).toBeUndefined();
  expect(fastStart({ ...context, platform: "linux", program: { ...program, replaces: true } })).toBeUndefined();
});

test.skipIf(!HAS_IT)("every launch is one of its own: number, working folder, variables, arguments", async () => {
  using home = makeHome();
  const script = 'echo "$(pwd)|$API_KEY|$OTHER|$#|$NODE_OPTIONS|$NODE_EXTRA_CA_CERTS|$MCPS_HOME"';
  const entries = await migrated(home, {
    one: { command: "/bin/sh", args: ["-c", script, "sh", "a b"], env: { API_KEY: "sk-live-4f8a1b0c7d2e-fast" } },
  });
  const { command, args, env } = entryOf(entries, "one");
  expect(readFileSync(command, "utf8")).toMatch(FIRST_LINE);
  for (const name of ["first", "second"]) {
    const cwd = join(home.work, name);
    mkdirSync(cwd);
    const own = { OTHER: name, NODE_OPTIONS: "--no-warnings", NODE_EXTRA_CA_CERTS: "/none" };
    const ended = await execute(command, args, { cwd, env: { ...home.env, ...env, ...own } });
    expect(ended.stdout).toBe(`${cwd}|sk-live-4f8a1b0c7d2e-fast|${name}|1|--no-warnings|/none|\n`);
    expect(ended.stderr).toBe("");
  }
  const log = readFileSync(join(home.home, ".mcp-secrets/audit/audit.jsonl"), "utf8").trim().split("\n");
  const launches = log.map((line) => JSON.parse(line)).filter(({ event }) => event === "launched");
  expect(new Set(launches.map(({ launch }) => launch)).size).toBe(2);
  expect(new Set(launches.map(({ actor }) => actor.pid)).size).toBe(2);
});

test.skipIf(!HAS_IT)("the other commands start from there as well", async () => {
  using home = makeHome();
  await migrated(home, { one: { command: "true", env: { API_KEY: "sk-live-4f8a1b0c7d2e-fast" } } });
  const launcher = join(home.home, ".mcp-secrets/bin/mcp-secrets");
  const list = await execute(launcher, ["list"], { env: home.env, cwd: home.work });
  expect(list).toMatchObject({ code: 0, stderr: "" });
  expect(list.stdout).toContain("mcp-secret://local/one/API_KEY");
  const doctor = await execute(launcher, ["doctor", "--json"], { env: home.env, cwd: home.work });
  expect(JSON.parse(doctor.stdout).checks).toContainEqual(expect.objectContaining({ about: "launcher", state: "ok" }));
});

test.skipIf(!HAS_IT)("another build of Node gets files of its own, and one pair before it stays", async () => {
  using user = testContext();
  const node = join(user.folder, "node");
  copyFileSync(process.execPath, node);
  const context = { ...user.context, program: { ...user.context.program, node } };
  const names = () => readdirSync(join(context.home, "bin")).filter((name) => /^[nb].{4}$/.test(name));
  const seen: string[][] = [];
  for (const time of [1000, 2000, 3000]) {
    utimesSync(node, time, time);
    if (time > 1000) expect(await launcherProblem(context)).toContain("is not of this version");
    await installLauncher(context);
    expect(await launcherProblem(context)).toBeUndefined();
    seen.push(names());
  }
  expect(seen.map(({ length }) => length)).toEqual([2, 4, 4]);
  expect(new Set(seen.flat()).size).toBe(6);
});

test.skipIf(!HAS_IT)("what is damaged does not start, which is seen and healed", async () => {
  using user = testContext();
  const { context } = user;
  await installLauncher(context);
  const { node = "", snapshot = "" } = fastStart(context) ?? {};
  for (const [path, data, mode] of [
    [node, "", 0o700],
    [node, readFileSync(process.execPath), 0o600],
    [snapshot, "", 0o600],
    [snapshot, readFileSync(snapshot).subarray(0, 1_000_000), 0o600],
  ] as const) {
    // A name of its own: what stands there is a link to what other tests start.
    rmSync(path);
    writeFileSync(path, data, { mode });
    expect(await launcherProblem(context)).toContain("does not start");
    await installLauncher(context, { check: true });
    expect(await launcherProblem(context)).toBeUndefined();
    expect(readFileSync(entryCommand(context).command, "utf8")).toMatch(FIRST_LINE);
  }
});

test.skipIf(!HAS_IT)("a disk without room for it gets none of it", async () => {
  using user = testContext();
  const folder = join(user.folder, "dist");
  cpSync(user.context.program.folder, folder, { recursive: true, filter: (path) => !/\/[nb][0-9a-z]{4}$/.test(path) });
  const { files, program } = user.context;
  const copyProgram = () => Promise.reject(Object.assign(new Error("no room"), { code: "ENOSPC" }));
  const context = { ...user.context, files: { ...files, copyProgram }, program: { ...program, folder } };
  await installLauncher(context);
  expect(readdirSync(join(context.home, "bin")).toSorted()).toEqual(["mcp-secrets", "package.json"]);
  expect(await launcherProblem(context)).toBeUndefined();
});

test.skipIf(!HAS_IT)("a program that cannot be made into a snapshot starts without", async () => {
  using user = testContext();
  const folder = join(user.folder, "dist");
  mkdirSync(folder);
  const { program } = user.context;
  for (const name of readdirSync(program.folder)) {
    if (name.endsWith(".cjs")) copyFileSync(join(program.folder, name), join(folder, name));
  }
  writeFileSync(join(folder, "snapshot.cjs"), "throw new Error('no');");
  const context = { ...user.context, program: { ...program, folder } };
  await installLauncher(context);
  expect(await launcherProblem(context)).toBeUndefined();
  const launcher = entryCommand(context).command;
  expect(readFileSync(launcher, "utf8")).not.toMatch(FIRST_LINE);
  expect(existsSync(fastStart(context)?.snapshot ?? "")).toBe(false);
  const version = await execute(launcher, ["--version"], { env: { PATH: "/usr/bin:/bin" }, cwd: user.folder });
  expect(version).toMatchObject({ code: 0 });
});
