import { dirname, posix, win32 } from "node:path";
import type { Context } from "../context.ts";
import { UserError, systemCode } from "../errors.ts";
import { installFastStart, installedFastStart, removeFastStart, removeOldFastStarts } from "./fast.ts";
import { type StubPlace, stubTexts } from "./stub.ts";

/** The files of the built program. */
const PROGRAM = [
  "start",
  "snapshot",
  "cli",
  "keeper",
  "thread",
  "vault",
  "aws",
  "github-app",
  "target-postgresql",
  "target-mysql",
  "target-redis",
  "launcher",
] as const;
/** Folders in which package managers keep Node at a place that survives its upgrades. */
const STABLE_NODE_FOLDERS = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin"] as const;
const FEATURE_TEST_TIMEOUT = 5000;
/** A machine that is busy takes seconds for what takes 50 ms. */
const START_TIMEOUT = 20_000;

type InstallContext = Pick<Context, "files" | "home" | "platform" | "program" | "run" | "random" | "temporary">;

/** What an entry names to start the launcher: it survives upgrades of this tool and of Node. */
export function entryCommand({ home, platform, program }: Pick<Context, "home" | "platform" | "program">): {
  readonly command: string;
  readonly args: readonly string[];
} {
  const script = stubPath(home, platform);
  return platform === "win32" ? { command: program.node, args: [script] } : { command: script, args: [] };
}

/**
 * Copies the running program into the home folder and points the stable launcher at the copy. Writes nothing that is
 * there already; every file is replaced whole, the launcher last, so that a start at any moment finds a whole program.
 * What was written is started once to see that it starts; with `check` also what was there as it should be.
 * @throws UserError cannot-write, cannot-execute where the launcher does not start
 */
export async function installLauncher(context: InstallContext, { check = false } = {}): Promise<void> {
  const { files, home, platform, program } = context;
  try {
    const isNew = await write(files, [...programFiles(context), packageFile(context)]);
    await installStub(context, isNew || check);
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof UserError || code === undefined) throw error;
    const isFull = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
    throw new UserError("cannot-write", `cannot install the launcher in ${home}: ${code}`, {
      hint: isFull
        ? "free some space there, then run the command again"
        : `make ${home} yours to write, then run the command again`,
      cause: error,
    });
  }
  removeOldVersions(context, pathOf(platform).join(home, "lib"), program.version);
  removeOldFastStarts(context);
}

/** The fastest one that starts. A fast start that is there and does not start is damaged, and made anew, once. */
async function installStub(context: InstallContext, check: boolean): Promise<void> {
  const isMade = await installFastStart(context);
  const [fastest] = await stubsFor(context);
  const isWritten = await write(context.files, [stubFile(context, fastest)]);
  if (!isMade && !isWritten && !check) return;
  if (await starts(context)) return;
  removeFastStart(context);
  if (!isMade) await installFastStart(context);
  for (const text of await stubsFor(context)) if (await works(context, text)) return;
  throw new UserError("cannot-execute", `the launcher in ${context.home} does not start`, {
    hint: "programs must be allowed to run there (mount option noexec?); MCPS_HOME=FOLDER names another home",
  });
}

async function works(context: InstallContext, text: string): Promise<boolean> {
  await write(context.files, [stubFile(context, text)]);
  return starts(context);
}

/** As a client starts it, but that it only tells its version. */
async function starts({ run, ...context }: InstallContext): Promise<boolean> {
  const { command, args } = entryCommand(context);
  const { exit, stdout } = await run(command, [...args, "--version"], START_TIMEOUT, { PATH: "/usr/bin:/bin" });
  return exit === 0 && /^\d+\.\d+\.\d+/.test(stdout);
}

/** True where something was not there as it should be. */
async function write(files: Context["files"], wanted: readonly WantedFile[]): Promise<boolean> {
  const missing = wanted.filter(
    (file) => files.readIfExists(file.path)?.equals(file.data) !== true || !mayRun(files, file),
  );
  for (const { path, data, program } of missing)
    await (program ? files.writeProgram(path, data) : files.writePrivate(path, data));
  return missing.length > 0;
}

/** What is wrong with the installed launcher, in words; undefined where nothing is, and it starts. */
export async function launcherProblem(context: InstallContext): Promise<string | undefined> {
  const wrong = await wrongFile(context);
  if (wrong !== undefined) return wrong;
  return (await starts(context)) ? undefined : `${entryCommand(context).command} does not start`;
}

/** As `launcherProblem`, by a look at the files alone. */
export async function wrongFile(context: InstallContext): Promise<string | undefined> {
  const { files } = context;
  const stubs = (await stubsFor(context)).map((text) => stubFile(context, text));
  for (const wanted of [[packageFile(context)], ...programFiles(context).map((file) => [file]), stubs]) {
    const [{ path } = { path: "" }] = wanted;
    const there = files.readIfExists(path);
    if (there === undefined) return `${path} is missing`;
    const file = wanted.find(({ data }) => there.equals(data));
    if (file === undefined) return `${path} is not of this version`;
    if (!mayRun(files, file)) return `${path} cannot be run`;
  }
  return undefined;
}

/** False for a program that its owner may not run. Windows has no such right. */
function mayRun(files: Context["files"], { path, program }: WantedFile): boolean {
  return !program || (files.identify(path).mode & 0o100) !== 0;
}

interface WantedFile {
  readonly path: string;
  readonly data: Buffer;
  readonly program: boolean;
}

function programFiles({ files, home, platform, program }: InstallContext): WantedFile[] {
  const { join } = pathOf(platform);
  return PROGRAM.map((name) => ({
    path: join(home, "lib", program.version, `${name}.cjs`),
    data: files.read(join(program.folder, `${name}.cjs`)),
    program: false,
  }));
}

/** Without it, a package.json of type "module" in a folder above would decide how Node reads the launcher. */
function packageFile({ home, platform }: InstallContext): WantedFile {
  const path = pathOf(platform).join(home, "bin", "package.json");
  return { path, data: Buffer.from('{"type":"commonjs"}\n'), program: false };
}

function stubFile({ home, platform }: InstallContext, text: string): WantedFile {
  return { path: stubPath(home, platform), data: Buffer.from(text), program: platform !== "win32" };
}

async function stubsFor(context: InstallContext): Promise<ReturnType<typeof stubTexts>> {
  const { home, platform, program } = context;
  const fast = installedFastStart(context);
  return stubTexts({
    platform,
    version: program.version,
    nodeFolder: nodeFolder(context),
    splits: await splitsArguments(context),
    folder: pathOf(platform).join(home, "bin"),
    ...(fast === undefined ? {} : { fast }),
  } satisfies StubPlace);
}

function stubPath(home: string, platform: NodeJS.Platform): string {
  return pathOf(platform).join(home, "bin", platform === "win32" ? "mcp-secrets.cjs" : "mcp-secrets");
}

/** A folder that leads to the same Node and outlives its version, where there is one. */
function nodeFolder({ files, platform, program }: InstallContext): string {
  const stable = STABLE_NODE_FOLDERS.find((folder) => {
    const candidate = posix.join(folder, "node");
    return files.look(candidate) !== undefined && leadsTo(files, candidate, program.node);
  });
  return platform === "win32" || stable === undefined ? dirname(program.node) : stable;
}

function leadsTo(files: Context["files"], path: string, program: string): boolean {
  try {
    return files.realpath(path) === files.realpath(program);
  } catch {
    return false;
  }
}

/** True where env(1) takes a first line with several words and variables apart: GNU 8.30, FreeBSD, macOS. */
async function splitsArguments({ platform, run }: InstallContext): Promise<boolean> {
  if (platform === "win32") return false;
  const { exit, stdout } = await run(
    "/usr/bin/env",
    ["-S", "-uMCPS_X MCPS_Y=a${MCPS_X} /bin/sh -c 'echo $MCPS_Y${MCPS_X}'"],
    FEATURE_TEST_TIMEOUT,
    { MCPS_X: "b c", PATH: "/usr/bin:/bin" },
  );
  return exit === 0 && stdout.trim() === "ab c";
}

/** The version before this one stays: a server that is being started may still load it. */
function removeOldVersions({ files, platform }: InstallContext, lib: string, version: string): void {
  const { join } = pathOf(platform);
  const others = files.list(lib).filter((name) => name !== version);
  const newestFirst = others.toSorted((a, b) => Number(age(files, join(lib, b)) - age(files, join(lib, a))));
  for (const old of newestFirst.slice(1)) {
    for (const name of files.list(join(lib, old))) files.remove(join(lib, old, name));
    files.removeEmptyDir(join(lib, old));
  }
}

function age(files: Context["files"], path: string): bigint {
  return files.identify(path).mtimeNs;
}

function pathOf(platform: NodeJS.Platform): typeof posix {
  return platform === "win32" ? win32 : posix;
}
