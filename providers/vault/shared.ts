import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { StoreOptions } from "../../src/core/provider.ts";
import type { Secret } from "../../src/core/secret.ts";
import { systemCode } from "../../src/errors.ts";
import type { Reading } from "./kv.ts";
import { hashOf, type KeptReading, packReading, unpackReading } from "./reading.ts";

/**
 * One read for launches that ask for the same at the same time, a crowd that clients make when they start.
 *
 * What is shared lies for two seconds in a file of the memory file system, 0600 in a folder of ours, and never on a disk.
 * It is encrypted with a key that comes from the token of the store's login: who has that can ask the vault itself, and
 * nobody else learns anything. Where a system has no such file system (macOS, Windows), every launch reads for itself.
 */
const MEMORY = "/dev/shm";
/** Milliseconds. */
const FRESH = 2_000;
/** How long a launch waits for another's read before it makes its own, in milliseconds. */
const PATIENCE = 500;
const IV = 12;
const TAG = 16;

export interface SharedReads {
  /** What another launch of the same `reader` has just read at `place`, or what `read` gives. */
  get(place: string, read: () => Promise<Reading>): Promise<SharedReading>;
}

/** `shared` where another launch has read it. */
export interface SharedReading extends Reading {
  readonly shared?: true;
}

/** `login` is the token of the store's login; nothing is shared between two logins. */
export function openSharedReads(options: StoreOptions, login: Secret, reader: string): SharedReads {
  const folder = folderOf(options);
  if (folder === undefined) return { get: (_, read) => read() };
  return {
    get(place, read) {
      const about = `${place} ${reader}`;
      const file = join(folder, `${hashOf(place)}-${reader}`);
      const key = createHmac("sha256", login.expose()).update(`mcp-secrets shared read ${about}`).digest();
      const look = () => fresh(open(options.files.readIfExists(file), key, about), options.now());
      const work = async () => {
        const reading = await read();
        quietly(() =>
          options.files.writeVolatile(file, seal(packReading({ reading, readAt: options.now() }, about), key)),
        );
        quietly(() => sweep(options, folder));
        return reading;
      };
      return oneAtATime(options, file, { look, work, alone: read });
    },
  };
}

/** A write by this machine is seen by its next launch. */
export function forgetSharedReads(options: StoreOptions, place: string): void {
  const folder = folderOf(options);
  if (folder === undefined) return;
  const names = options.files.list(folder).filter((name) => name.startsWith(`${hashOf(place)}-`));
  for (const name of names) options.files.remove(join(folder, name));
}

interface Task {
  readonly look: () => Reading | undefined;
  readonly work: () => Promise<Reading>;
  readonly alone: () => Promise<Reading>;
}

/** Who waits too long, or cannot lock, reads for itself: sharing may save a request but never costs an answer. */
async function oneAtATime(options: StoreOptions, file: string, { look, work, alone }: Task): Promise<SharedReading> {
  const found = look();
  if (found !== undefined) return { ...found, shared: true };
  const turn: { state: "waiting" | "holding" | "gone" } = { state: "waiting" };
  const locked = options.lock(`${file}.lock`, async () => {
    if (turn.state === "gone") return undefined;
    turn.state = "holding";
    const other = look();
    return other === undefined ? work() : { ...other, shared: true };
  });
  const patience = pause(PATIENCE);
  try {
    const got = await Promise.race([locked, patience.over]);
    // The read itself takes longer: that is no waiting.
    if (got !== undefined || turn.state === "holding") return got ?? (await locked) ?? (await alone());
  } catch (error) {
    if (turn.state === "holding") throw error;
  } finally {
    patience.stop();
  }
  turn.state = "gone";
  locked.catch(() => {});
  return alone();
}

function pause(milliseconds: number) {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  return { over, stop: () => clearTimeout(timer) };
}

function folderOf({ files, home, platform }: StoreOptions): string | undefined {
  if (platform !== "linux") return undefined;
  const owner = files.look(home)?.uid;
  if (owner === undefined) return undefined;
  const folder = join(MEMORY, `mcp-secrets-${owner}-${hashOf(home).slice(0, 16)}`);
  try {
    if (files.look(folder) === undefined) files.makePrivateDir(folder);
    const found = files.look(folder);
    const ours = found?.kind === "directory" && found.uid === owner && (found.mode & 0o077) === 0;
    return ours ? folder : undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

function fresh(kept: KeptReading | undefined, now: number): Reading | undefined {
  if (kept === undefined) return undefined;
  const age = now - kept.readAt;
  return age >= 0 && age < FRESH ? kept.reading : undefined;
}

/** What nobody takes any more. Locks go with their holders. */
function sweep({ files, now }: StoreOptions, folder: string): void {
  for (const name of files.list(folder)) {
    const path = join(folder, name);
    const written = Number((files.look(path)?.mtimeNs ?? 0n) / 1_000_000n);
    if (!name.includes(".") && now() - written > FRESH) files.remove(path);
  }
}

/** A full memory file system is no reason to fail. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

/** AES-256-GCM: the nonce, the ciphertext, the tag. */
function seal(bytes: Buffer, key: Buffer): Buffer {
  const iv = randomBytes(IV);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  return Buffer.concat([iv, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

function open(sealed: Buffer | undefined, key: Buffer, about: string): KeptReading | undefined {
  if (sealed === undefined || sealed.length < IV + TAG) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, IV), { authTagLength: TAG });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  try {
    const bytes = Buffer.concat([decipher.update(sealed.subarray(IV, sealed.length - TAG)), decipher.final()]);
    return unpackReading(bytes, about);
  } catch {
    // Another login's.
    return undefined;
  }
}
