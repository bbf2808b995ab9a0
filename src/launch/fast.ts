import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { Context } from "../context.ts";
import { EXIT, systemCode } from "../errors.ts";
import { trimBlob } from "./snapshot-blob.ts";

/**
 * The fast start: a copy of the Node that runs here, and a snapshot of the launcher as it is after one launch, which
 * that very Node takes up where it was left. Nothing is loaded or compiled at a start any more, which halves what the
 * launcher adds to Node 20's own start.
 *
 * A snapshot is good for one build of Node only, and Node ends with an error where it is given another's. That is why
 * the copy: an upgrade of the user's Node changes nothing for it.
 *
 * Only where a server is watched over for as long as it lives. Node >= 22.15 puts the server in the launcher's place,
 * and starts fast enough without.
 */
export interface FastStart {
  readonly node: string;
  readonly snapshot: string;
}

/**
 * Node draws the seed for the hashes of its strings anew at every start, and computes them all again: a tenth of its
 * time. Ours keep the seed of the snapshot; whoever can choose the names in what we read could make the launcher slow.
 */
export const SNAPSHOT_FLAGS = ["--no-rehash-snapshot", "--snapshot-blob"] as const;

/** Of the rehearsal, and of the proof that what was built starts: milliseconds. */
const BUILD_TIMEOUT = 30_000;
const PROOF_TIMEOUT = 10_000;
/** A warning would open stderr, which would be in every launcher's memory, a quarter of a megabyte. */
const PLAIN = { PATH: "/usr/bin:/bin", NODE_NO_WARNINGS: "1" };
/** Short, because the first line of a script is (stub.ts): `n` for Node, `b` for its blob. */
const NAMES = /^[nb][0-9a-z]{4}(?:\.|$)/;

type FastContext = Pick<Context, "files" | "home" | "platform" | "program" | "run" | "random" | "temporary">;

/** Where both files belong; undefined where there is no fast start. */
export function fastStart(context: FastContext): FastStart | undefined {
  const { home, platform, program } = context;
  if (platform !== "linux" || program.replaces) return undefined;
  const mark = markOf(context);
  const place = (kind: string) => posix.join(home, "bin", `${kind}${mark}`);
  return { node: place("n"), snapshot: place("b") };
}

/** As `fastStart`, where both are there. */
export function installedFastStart(context: FastContext): FastStart | undefined {
  const fast = fastStart(context);
  return fast !== undefined && isThere(context, fast) ? fast : undefined;
}

/**
 * Makes both files, and the proof that they start the program in `lib`. Where they cannot be made, or do not start it,
 * the launcher starts without, and nothing is told.
 * @returns true where they are made now
 */
export async function installFastStart(context: FastContext): Promise<boolean> {
  const fast = fastStart(context);
  if (fast === undefined || isThere(context, fast)) return false;
  try {
    await makeFiles(context, fast);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
  const isMade = isThere(context, fast);
  if (!isMade) removeFiles(context, fast);
  return isMade;
}

export function removeFastStart(context: FastContext): void {
  const fast = fastStart(context);
  if (fast !== undefined) removeFiles(context, fast);
}

/** One without the other is a hundred megabytes for nothing. */
function removeFiles({ files }: FastContext, { node, snapshot }: FastStart): void {
  for (const path of [node, snapshot]) files.remove(path);
}

function isThere({ files }: FastContext, { node, snapshot }: FastStart): boolean {
  return [node, snapshot].every((path) => files.look(path)?.kind === "file");
}

async function makeFiles(context: FastContext, fast: FastStart): Promise<void> {
  const { files, program } = context;
  files.makePrivateDir(posix.dirname(fast.node));
  if (!(await takeReady(context, fast.node))) await files.copyProgram(program.node, fast.node);
  if (!(await takeReady(context, fast.snapshot))) await make(context, fast);
}

async function make(context: FastContext, fast: FastStart): Promise<void> {
  const { files, temporary, random, program, run } = context;
  const script = posix.join(program.folder, "snapshot.cjs");
  const folder = posix.join(temporary, `mcp-secrets-${random()}`);
  const made = `${fast.snapshot}.${random()}`;
  const whole = `${made}.whole`;
  try {
    files.makePrivateDir(folder);
    await run(program.node, [script, folder], BUILD_TIMEOUT, PLAIN);
    await Promise.all([build(context, made, [script, folder]), build(context, whole, ["/dev/null"], ["--no-lazy"])]);
    const [blob, compiled] = [made, whole].map((path) => files.readIfExists(path));
    const trimmed = blob === undefined || compiled === undefined ? undefined : trimBlob(blob, compiled);
    if (trimmed === undefined) return;
    await files.writePrivate(made, trimmed);
    if (await starts(context, fast.node, made)) await files.rename(made, fast.snapshot);
  } finally {
    files.remove(made);
    files.remove(whole);
    await run("/bin/rm", ["-rf", folder], BUILD_TIMEOUT, PLAIN);
  }
}

/** All but the present one and the one before it, which a client may just be starting. */
export function removeOldFastStarts({ files, home, ...context }: FastContext): void {
  const bin = posix.join(home, "bin");
  const mark = markOf({ files, home, ...context });
  const others = files.list(bin).filter((name) => NAMES.test(name) && !name.includes(mark));
  const time = (name: string) => files.look(posix.join(bin, name))?.mtimeNs ?? 0n;
  const newestFirst = others.toSorted((a, b) => Number(time(b) - time(a)));
  const kept = newestFirst[0]?.slice(1, 5);
  for (const name of newestFirst) if (name.slice(1, 5) !== kept) files.remove(posix.join(bin, name));
}

/** From beside the program, where whoever packed it made it once for all: an image, a test. */
async function takeReady({ files, program }: FastContext, path: string): Promise<boolean> {
  const ready = posix.join(program.folder, posix.basename(path));
  return files.look(ready)?.kind === "file" && (await files.link(ready, path));
}

/** Changes with the program and with Node. The copy itself keeps its own, where it is what runs. */
function markOf({ files, home, program }: FastContext): string {
  const own = posix.relative(posix.join(home, "bin"), program.node);
  if (NAMES.test(own)) return own.slice(1);
  const { size, mtimeNs } = files.identify(program.node);
  const hash = createHash("sha256").update(files.read(posix.join(program.folder, "snapshot.cjs")));
  hash.update(`${program.version} ${size} ${mtimeNs}`);
  return hash.digest().readUInt32BE().toString(36).padStart(4, "0").slice(-4);
}

async function build(
  { run, program }: FastContext,
  snapshot: string,
  script: readonly string[],
  flags: readonly string[] = [],
): Promise<void> {
  await run(program.node, [...flags, ...SNAPSHOT_FLAGS, snapshot, "--build-snapshot", ...script], BUILD_TIMEOUT, PLAIN);
}

/** Both ways in: to a launch, which this is none of, and to the other commands. */
async function starts({ run, program }: FastContext, node: string, snapshot: string): Promise<boolean> {
  const ask = (...args: string[]) =>
    run(node, [...SNAPSHOT_FLAGS, snapshot, "mcp-secrets", ...args], PROOF_TIMEOUT, PLAIN);
  const [launch, version] = await Promise.all([ask("run"), ask("--version")]);
  return launch.exit === EXIT.usage && version.exit === 0 && version.stdout.trim() === program.version;
}
