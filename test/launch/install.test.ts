import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { entryCommand, installLauncher, launcherProblem } from "../../src/launch/install.ts";
import { stubTexts } from "../../src/launch/stub.ts";
import { execute } from "../helpers/cli.ts";
import { testContext } from "../helpers/context.ts";

const split = { platform: "linux", version: "1.2.3", nodeFolder: "/n", splits: true, folder: "/h/bin" } as const;

test("the first line fits what Linux reads of it, with as many folders as there is room for", () => {
  const folders = ["/n", `/${"x".repeat(60)}`, `/${"x".repeat(110)}`];
  const lines = folders.map((nodeFolder) => stubTexts({ ...split, nodeFolder })[0].split("\n")[0] ?? "");
  expect(lines.map((line) => line.length <= 255 && line.startsWith("#!/usr/bin/env -S "))).toEqual([true, true, true]);
  expect(lines[0]).toContain("PATH=/n:/usr/local/bin:/opt/homebrew/bin:/usr/bin:${PATH} node");
  expect(lines[2]).toContain(`PATH=${folders[2]}:\${PATH} node`);
});

test.each([
  ["a folder that is too long", { ...split, nodeFolder: `/${"x".repeat(200)}` }],
  ["a folder with a blank", { ...split, nodeFolder: "/my node" }],
  ["an env(1) that cannot split", { ...split, splits: false }],
])("a shell starts it: %s", (_, place) => {
  expect(stubTexts(place)[0]).toMatch(/^#!\/bin\/sh\n[^]*exec node '\/h\/lib\/1\.2\.3\/launcher\.cjs' "\$@"\n$/);
});

test("on Windows an entry names Node, and the launcher as its first argument", () => {
  const program = { version: "1", folder: "x", node: String.raw`C:\node\node.exe`, replaces: false };
  expect(entryCommand({ home: String.raw`C:\u\.mcp-secrets`, platform: "win32", program })).toEqual({
    command: String.raw`C:\node\node.exe`,
    args: [String.raw`C:\u\.mcp-secrets\bin\mcp-secrets.cjs`],
  });
  expect(stubTexts({ ...split, platform: "win32" })[0]).not.toContain("#!");
});

test("installs once, repairs what is missing or changed, and keeps one version before", async () => {
  using user = testContext();
  const { context } = user;
  const stub = entryCommand(context).command;
  expect(await launcherProblem(context)).toContain("is missing");
  await installLauncher(context);
  expect(await launcherProblem(context)).toBeUndefined();
  expect(statSync(stub).mode & 0o777).toBe(0o700);

  const times = () => readdirSync(dirname(stub)).map((name) => statSync(join(dirname(stub), name)).mtimeMs);
  const before = times();
  await installLauncher(context);
  expect(times()).toEqual(before);

  writeFileSync(stub, "#!/bin/false\n");
  expect(await launcherProblem(context)).toBe(`${stub} is not of this version`);
  for (const version of ["2.0.0", "3.0.0"]) {
    await installLauncher({ ...context, program: { ...context.program, version } });
  }
  expect(readdirSync(join(context.home, "lib")).toSorted()).toEqual(["2.0.0", "3.0.0"]);
  expect(readFileSync(stub, "utf8")).toContain("../lib/3.0.0/launcher.cjs");
});

test("what may not be run is made to run again, and where nothing may, no config is rewritten for it", async () => {
  using user = testContext();
  const { context } = user;
  const stub = entryCommand(context).command;
  await installLauncher(context);
  chmodSync(stub, 0o600);
  expect(await launcherProblem(context)).toBe(`${stub} cannot be run`);
  await installLauncher(context);
  expect(await launcherProblem(context)).toBeUndefined();

  // A file system with noexec, to which env(1) and all else outside are no hindrance.
  const run: typeof context.run = (command, ...rest) =>
    command === stub ? Promise.resolve({ stdout: "", stderr: "", exit: undefined }) : context.run(command, ...rest);
  await expect(installLauncher({ ...context, run }, { check: true })).rejects.toMatchObject({ code: "cannot-execute" });
  expect(await launcherProblem({ ...context, run })).toContain("does not start");
});

test("a home whose path env(1) or a shell would take for something else", async () => {
  for (const name of ["x=y", "a:b", "a b", "a'b", "é$HOME"]) {
    using user = testContext();
    const context = { ...user.context, home: join(user.folder, name, ".mcp-secrets") };
    await installLauncher(context);
    const { command } = entryCommand(context);
    const started = await execute(command, ["--version"], { env: { PATH: "/usr/bin:/bin" } });
    expect(started).toMatchObject({ code: 0, stdout: `${realVersion()}\n` });
  }
});

test("a folder that cannot be written is told", async () => {
  using user = testContext();
  writeFileSync(user.context.home, "");
  await expect(installLauncher(user.context)).rejects.toMatchObject({ code: "cannot-write" });
});

test.each([true, false])(
  "starts when the recorded Node is gone and another is on PATH (env -S: %s)",
  async (splits) => {
    using user = testContext();
    const { context, folder } = user;
    await installLauncher(context);
    const stub = entryCommand(context).command;
    const { version } = context.program;
    const [gone] = stubTexts({ ...split, version, splits, nodeFolder: "/gone", folder: dirname(stub) });
    writeFileSync(stub, gone.replaceAll(/:\/usr\/local\/bin:\/opt\/homebrew\/bin:\/usr\/bin/g, ""));
    symlinkSync(process.execPath, join(folder, "node"));
    // A project of modules around the home must not change how the launcher is read.
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    const env = { HOME: folder, PATH: `${folder}:/nowhere` };
    expect(await execute(stub, ["--version"], { env })).toMatchObject({ code: 0, stdout: `${realVersion()}\n` });
    rmSync(join(folder, "node"));
    expect((await execute(stub, ["--version"], { env })).code).toBe(127);
  },
);

test("the copy is whole: it runs when the program it was made from is gone", async () => {
  using user = testContext();
  const built = join(user.folder, "built");
  cpSync(user.context.program.folder, built, { recursive: true });
  await installLauncher({ ...user.context, program: { ...user.context.program, folder: built } });
  rmSync(built, { recursive: true });
  const env = { HOME: user.folder, PATH: "/usr/bin:/bin" };
  expect((await execute(entryCommand(user.context).command, ["--help"], { env })).stdout).toContain("migrate");
  expect(existsSync(built)).toBe(false);
});

function realVersion(): string {
  return JSON.parse(readFileSync("package.json", "utf8")).version;
}
