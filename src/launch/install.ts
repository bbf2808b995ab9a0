import { dirname, posix, win32 } from "node:path";
import type { Context } from "../context.ts";
import { UserError, systemCode } from "../errors.ts";
import { installFastStart, installedFastStart, removeOldFastStarts } from "./fast.ts";
import { type StubPlace, stubText } from "./stub.ts";

/** The files of the built program. */
const PROGRAM = [
  "start",
  "snapshot",
  "cli",
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
 * @throws UserError cannot-write
 */
export async function installLauncher(context: InstallContext): Promise<void> {
  const { files, home, platform, program } = context;
  try {
    await write(files, programFiles(context));
    await installFastStart(context);
    await write(files, await stubFiles(context));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new UserError("cannot-write", `cannot install the launcher in ${home}: ${systemCode(error) ?? ""}`, {
      hint: `make ${home} yours to write, then run the command again`,
      cause: error,
    });
  }
  removeOldVersions(context, pathOf(platform).join(home, "lib"), program.version);
  removeOldFastStarts(context);
}

async function write(files: Context["files"], wanted: readonly WantedFile[]): Promise<void> {
  for (const file of wanted) {
    if (files.readIfExists(file.path)?.equals(file.data) === true) continue;
    await (file.program ? files.writeProgram(file.path, file.data) : files.writePrivate(file.path, file.data));
  }
}

/** What is wrong with the installed launcher, in words; undefined where nothing is. */
export async function launcherProblem(context: InstallContext): Promise<string | undefined> {
  for (const { path, data, program } of [...programFiles(context), ...(await stubFiles(context))]) {
    const there = context.files.readIfExists(path);
    if (there === undefined) return `${path} is missing`;
    if (!there.equals(data)) return `${path} is not of this version`;
    const { mode } = context.files.identify(path);
    if (program && context.platform !== "win32" && (mode & 0o100) === 0) return `${path} cannot be run`;
  }
  return undefined;
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

/** In the order in which they are written. */
async function stubFiles(context: InstallContext): Promise<WantedFile[]> {
  const { home, platform, program } = context;
  const { join } = pathOf(platform);
  const fast = installedFastStart(context);
  const stub = stubText({
    platform,
    version: program.version,
    nodeFolder: nodeFolder(context),
    splits: await splitsArguments(context),
    folder: join(home, "bin"),
    ...(fast === undefined ? {} : { fast }),
  } satisfies StubPlace);
  return [
    // Without it, a package.json of type "module" in a folder above would decide how Node reads the launcher.
    { path: join(home, "bin", "package.json"), data: Buffer.from('{"type":"commonjs"}\n'), program: false },
    { path: stubPath(home, platform), data: Buffer.from(stub), program: true },
  ];
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
