import { join } from "node:path";
import type { StoreOptions } from "../../src/core/provider.ts";
import type { Seal } from "../../src/core/seal.ts";
import { systemCode, UserError } from "../../src/errors.ts";
import type { Reading } from "./kv.ts";
import { hashOf, type KeptReading, packReading, unpackReading } from "./reading.ts";

/**
 * Copies of static secrets for the time in which the vault does not answer, only of those for which the settings allow
 * it. Each is an age file, 0600, at `HOME/vault/STORE/copies/READER/PATH`, encrypted to the key of the local store. A
 * launch finds only what launches with the same rights have read.
 */
export interface Copies {
  readonly now: () => number;
  /** True where there may be a copy of each path that is young enough; cheap, and no proof. */
  cover(paths: readonly string[]): boolean;
  keep(path: string, reading: Reading): Promise<void>;
  /** The copy that is not older than `max` milliseconds. */
  find(path: string): Promise<KeptReading | undefined>;
  drop(path: string): void;
  /** Of every path. */
  dropAll(): void;
}

/** `maxAge` gives the milliseconds for which a copy of a path may be used; undefined where none may be kept. */
export function openCopies(
  options: StoreOptions,
  reader: string,
  maxAge: (path: string) => number | undefined,
): Copies {
  const { files, now } = options;
  const folder = join(rootOf(options), reader);
  const fileOf = (path: string) => join(folder, `${hashOf(path)}.age`);
  const about = (path: string) => `${path} ${reader}`;
  const young = (path: string, time: number) => {
    const age = now() - time;
    return age >= 0 && age <= (maxAge(path) ?? -1);
  };
  let seal: Promise<Seal | undefined> | undefined;
  const sealed = () => (seal ??= options.openSeal?.() ?? Promise.resolve(undefined));

  return {
    now,
    cover: (paths) =>
      paths.every((path) => {
        const found = files.look(fileOf(path));
        return found !== undefined && young(path, Number(found.mtimeNs / 1_000_000n));
      }),
    async keep(path, reading) {
      if (maxAge(path) === undefined) return;
      await tolerantly(async () => {
        const closed = await (await sealed())?.close(packReading({ reading, readAt: now() }, about(path)));
        if (closed !== undefined) await write(options, folder, fileOf(path), closed);
      });
    },
    async find(path) {
      const bytes = files.readIfExists(fileOf(path));
      if (bytes === undefined || maxAge(path) === undefined) return undefined;
      const kept = await tolerantly(async () => {
        const opened = (await sealed())?.open(bytes);
        return opened === undefined ? undefined : unpackReading(opened, about(path));
      });
      if (kept !== undefined && young(path, kept.readAt)) return kept;
      files.remove(fileOf(path));
      return undefined;
    },
    drop: (path) => files.remove(fileOf(path)),
    dropAll: () => empty(options, folder),
  };
}

/** Every copy of the store: the login was refused, or copies are no longer allowed. */
export function dropCopies(options: StoreOptions): void {
  const root = rootOf(options);
  for (const reader of options.files.list(root)) {
    empty(options, join(root, reader));
    options.files.removeEmptyDir(join(root, reader));
  }
}

function rootOf({ home, store }: StoreOptions): string {
  return join(home, "vault", store, "copies");
}

function empty({ files }: StoreOptions, folder: string): void {
  for (const name of files.list(folder)) files.remove(join(folder, name));
}

/** Not flushed: what a power cut leaves of it is no copy, and the next launch makes another. */
async function write({ files }: StoreOptions, folder: string, path: string, bytes: Buffer): Promise<void> {
  try {
    files.writeVolatile(path, bytes);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    files.makePrivateDir(folder);
    files.writeVolatile(path, bytes);
  }
}

/** A copy is a convenience: a full disk or a missing key must not end a launch that has its answer. */
async function tolerantly<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError) && systemCode(error) === undefined) throw error;
    return undefined;
  }
}
