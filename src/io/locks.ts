import * as nodeFs from "node:fs";
import { dirname, join } from "node:path";
import type { Lock } from "../core/lock.ts";
import type { Owner } from "../core/owner.ts";
import { UserError, systemCode } from "../errors.ts";
import { TEMPORARY } from "./files.ts";
import { type Processes, ownerOf, realProcesses, stateOf } from "./owner.ts";

/**
 * Locks between processes, by files that link(2) publishes whole: who can read a lock reads who holds it.
 *
 * A lock of a dead holder is taken away under a guard, a lock of its own that is named after the nonce of the lock to
 * break, beside it. Only who holds the guard of a nonce may remove the lock with that nonce, after looking once more; the dead
 * holder cannot, so what was looked at is what is removed. A guard whose holder died is broken in the same way.
 */

interface Holding extends Owner {
  /** Unique to one taking of one lock. */
  readonly nonce: string;
}

export interface LockOptions {
  readonly pid: number;
  readonly now: () => number;
  /** Random text that is safe in a file name. */
  readonly random: () => string;
  /** How long to wait for a holder that lives, in milliseconds. */
  readonly patience?: number;
  readonly processes?: Processes;
}

const PATIENCE = 15_000;
/** Waiters look again after 25 to 50 ms. */
const POLL = 25;
const GUARD = ".mcp-secrets-guard-";

export function createLock(options: LockOptions): Lock {
  return (path, run, patience) => withLock(path, run, patience === undefined ? options : { ...options, patience });
}

export async function withLock<T>(path: string, run: () => Promise<T>, options: LockOptions): Promise<T> {
  const processes = options.processes ?? realProcesses(options.now);
  const holding = { ...ownerOf(options.pid, options.now(), processes), nonce: options.random() };
  nodeFs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  await take(path, holding, { ...options, processes });
  try {
    return await run();
  } finally {
    release(path, holding);
  }
}

/** Who holds the lock of `path`, as far as it runs or nobody here can tell; undefined where it is free. */
export function lockHolder(path: string, processes: Processes): Owner | undefined {
  const holder = readHolding(path);
  return holder === undefined || isDead(holder, processes) ? undefined : holder;
}

type Taking = LockOptions & { readonly processes: Processes };

async function take(path: string, holding: Holding, options: Taking): Promise<void> {
  const end = options.now() + (options.patience ?? PATIENCE);
  for (;;) {
    const holder = readHolding(path);
    if (holder === undefined) {
      if (publish(path, holding)) return;
      continue;
    }
    if (isDead(holder, options.processes) && breakLock(path, holder.nonce, options)) continue;
    if (options.now() >= end) throw timedOut(path, holder, options.processes);
    await sleep(POLL * (1 + jitter(options.random())));
  }
}

/** Takes the lock `nonce` of a dead holder away, and what other dead ones left. False where another process is about it. */
function breakLock(path: string, nonce: string, options: Taking): boolean {
  const guard = join(dirname(path), `${GUARD}${nonce}`);
  const holding = { ...ownerOf(options.pid, options.now(), options.processes), nonce: options.random() };
  if (!publish(guard, holding)) {
    const other = readHolding(guard);
    return other === undefined || (isDead(other, options.processes) && breakLock(guard, other.nonce, options));
  }
  try {
    if (readHolding(path)?.nonce === nonce) removeIfThere(path);
  } finally {
    release(guard, holding);
  }
  sweep(dirname(path), options);
  return true;
}

/** Guards and unpublished locks of dead processes: nobody else would look at them again. */
function sweep(folder: string, options: Taking): void {
  for (const name of nodeFs.readdirSync(folder)) {
    const path = join(folder, name);
    if (name.startsWith(TEMPORARY)) removeUnpublished(path, options.processes);
    if (!name.startsWith(GUARD)) continue;
    const holder = readHolding(path);
    if (holder !== undefined && isDead(holder, options.processes)) breakLock(path, holder.nonce, options);
  }
}

/** Only what says that its maker is dead: it is never made again under that name. */
function removeUnpublished(path: string, processes: Processes): void {
  const holder = readHolding(path);
  if (holder !== undefined && holder.pid !== NOBODY && isDead(holder, processes)) removeIfThere(path);
}

/** False where the name is taken. */
function publish(path: string, holding: Holding): boolean {
  const temporary = join(dirname(path), `${TEMPORARY}${holding.nonce}`);
  nodeFs.writeFileSync(temporary, JSON.stringify(holding), { flag: "wx", mode: 0o600 });
  try {
    nodeFs.linkSync(temporary, path);
    return true;
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    return false;
  } finally {
    removeIfThere(temporary);
  }
}

function release(path: string, { nonce }: Holding): void {
  if (readHolding(path)?.nonce === nonce) removeIfThere(path);
}

/**
 * Undefined where there is no lock. One that cannot be read is what a power cut left, as a lock is never seen half
 * made: it counts as held by nobody, under a nonce made of what the file is.
 */
function readHolding(path: string): Holding | undefined {
  try {
    const text = nodeFs.readFileSync(path, "utf8");
    return parseHolding(text) ?? debris(nodeFs.statSync(path));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parseHolding(text: string): Holding | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isHolding(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHolding(value: unknown): value is Holding {
  if (typeof value !== "object" || value === null) return false;
  const words = ["nonce", "host", "boot", "namespace", "started"].map((name) => Reflect.get(value, name) as unknown);
  const numbers = ["pid", "since"].map((name) => Reflect.get(value, name) as unknown);
  if (!words.every((word) => typeof word === "string") || !numbers.every(Number.isSafeInteger)) return false;
  return "nonce" in value && typeof value.nonce === "string" && /^[\w-]{8,64}$/.test(value.nonce);
}

const NOBODY = -1;

function debris({ ino, mtimeMs }: nodeFs.Stats): Holding {
  const nonce = `debris-${ino}-${Math.floor(mtimeMs)}`;
  return { pid: NOBODY, host: "", boot: "", namespace: "", started: "", since: mtimeMs, nonce };
}

function isDead(holder: Holding, processes: Processes): boolean {
  return holder.pid === NOBODY || stateOf(holder, processes) === "dead";
}

function timedOut(path: string, holder: Holding, processes: Processes): UserError {
  const elsewhere = stateOf(holder, processes) === "unknown";
  const where = elsewhere ? ` on host ${JSON.stringify(holder.host)}` : "";
  return new UserError("locked", `process ${holder.pid}${where} has held ${path} for too long`, {
    hint: elsewhere
      ? `if that process is gone, remove ${path}`
      : `ps -p ${holder.pid}, and try again when it has ended`,
  });
}

function removeIfThere(path: string): void {
  nodeFs.rmSync(path, { force: true });
}

/** From 0 to 1, out of random hexadecimal text: waiters must not look in step. */
function jitter(random: string): number {
  return (Number.parseInt(random.slice(0, 2), 16) || 0) / 255;
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
