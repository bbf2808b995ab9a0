import * as nodeFs from "node:fs";
import { dirname, join } from "node:path";
import type { FileIdentity, Files } from "../core/files.ts";
import { systemCode } from "../errors.ts";
import { groupByFolder } from "./flush.ts";
import { identityOf } from "./identity.ts";
import { checkReplace, withFolder } from "./replaceable.ts";

/** The part of `node:fs` that is used: tests pass one that fails at its k-th call. */
export type FileSystem = Pick<
  typeof nodeFs,
  | "accessSync"
  | "chmodSync"
  | "closeSync"
  | "copyFileSync"
  | "fchmodSync"
  | "fchownSync"
  | "fstatSync"
  | "linkSync"
  | "lstatSync"
  | "mkdirSync"
  | "openSync"
  | "readFileSync"
  | "readSync"
  | "readdirSync"
  | "realpathSync"
  | "renameSync"
  | "rmdirSync"
  | "statSync"
  | "statfsSync"
  | "unlinkSync"
  | "writeSync"
> & { readonly fsync: (fd: number, done: (error: Error | null) => void) => void };

const PRIVATE_FILE = 0o600;
const PRIVATE_PROGRAM = 0o700;
const PRIVATE_DIR = 0o700;
/** Of a link nobody knows what is behind it: ELOOP. Windows has no such flag. */
const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = nodeFs.constants;
const APPEND = O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW;
/** Marks our temporary files, so that one left by a kill is known for what it is. */
export const TEMPORARY = ".mcp-secrets-tmp-";

export interface FilesOptions {
  readonly fs?: FileSystem;
  readonly platform: NodeJS.Platform;
  /** Random bytes as text, safe in a file name. */
  readonly random: () => string;
}

/** The real `Files`. Writes are synchronous but for fsync, so that many can be made durable at once. */
export function createFiles({ fs = nodeFs, platform, random }: FilesOptions): Files {
  const temporaryFor = (path: string) => join(dirname(path), `${TEMPORARY}${random()}`);

  /** Opens with O_EXCL, which never follows a link, and takes the file away again if anything fails. */
  async function writeNew(path: string, data: Buffer | string, ready: (fd: number) => void, durable: boolean) {
    const fd = openNew(fs, path);
    try {
      try {
        writeAll(fs, fd, typeof data === "string" ? Buffer.from(data) : data);
        ready(fd);
        if (durable) await flush(fs, fd);
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      removeQuietly(fs, path);
      throw withFolder(error, dirname(path));
    }
  }

  /** As `writeNew`, in a folder that is made where it is missing: looking first would cost a call for every file. */
  async function writeInto(path: string, data: Buffer | string, ready: (fd: number) => void): Promise<void> {
    try {
      await writeNew(path, data, ready, true);
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      files.makePrivateDir(dirname(path));
      await writeNew(path, data, ready, true);
    }
  }

  const flushDir = groupByFolder(async (path) => {
    // Windows cannot open a folder; NTFS journals the rename itself.
    if (platform === "win32") return;
    const fd = fs.openSync(path, "r");
    try {
      await flush(fs, fd);
    } finally {
      fs.closeSync(fd);
    }
  });

  async function finish(path: string, mode: number): Promise<void> {
    const fd = fs.openSync(path, "r+");
    try {
      fs.fchmodSync(fd, mode);
      await flush(fs, fd);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Puts a temporary file into its place; it is gone where that fails, or where `put` decides otherwise. */
  async function place(temporary: string, path: string, put: () => boolean): Promise<boolean> {
    let placed = false;
    try {
      placed = put();
    } finally {
      if (!placed) removeQuietly(fs, temporary);
    }
    if (placed) await flushDir(dirname(path));
    return placed;
  }

  async function writeOver(path: string, data: Buffer | string, mode: number): Promise<void> {
    const temporary = temporaryFor(path);
    const allow = (fd: number) => {
      if (mode !== PRIVATE_FILE) fs.fchmodSync(fd, mode);
    };
    await writeInto(temporary, data, allow);
    await place(temporary, path, () => {
      renameOver(fs, temporary, path, platform);
      return true;
    });
  }

  const files: Files = {
    read: (path) => fs.readFileSync(path),

    readIfExists: (path) => ifExists(() => fs.readFileSync(path)),

    look: (path) => ifExists(() => identityOf(fs.lstatSync(path, { bigint: true }))),

    identify: (path) => identityOf(fs.statSync(path, { bigint: true })),

    realpath: (path) => fs.realpathSync(path),

    list: (path) => ifExists(() => fs.readdirSync(path).toSorted()) ?? [],

    makePrivateDir(path) {
      fs.mkdirSync(path, { recursive: true, mode: PRIVATE_DIR });
    },

    makePrivate: (path) => fs.chmodSync(path, fs.statSync(path).mode & PRIVATE_DIR),

    writePrivate: (path, data) => writeOver(path, data, PRIVATE_FILE),

    writeProgram: (path, data) => writeOver(path, data, PRIVATE_PROGRAM),

    async copyProgram(from, to) {
      const temporary = temporaryFor(to);
      try {
        // By the kernel, whose cache then holds single pages: of what we write ourselves it maps far more than is used.
        fs.copyFileSync(from, temporary, nodeFs.constants.COPYFILE_EXCL);
        await finish(temporary, PRIVATE_PROGRAM);
      } catch (error) {
        removeQuietly(fs, temporary);
        throw error;
      }
      await place(temporary, to, () => {
        renameOver(fs, temporary, to, platform);
        return true;
      });
    },

    async link(from, to) {
      try {
        fs.linkSync(from, to);
      } catch {
        return false;
      }
      await flushDir(dirname(to));
      return true;
    },

    async createPrivate(path, data) {
      const temporary = temporaryFor(path);
      await writeInto(temporary, data, () => {});
      try {
        // A link fails where the name is taken, which a rename would not.
        fs.linkSync(temporary, path);
      } catch (error) {
        if (systemCode(error) === "EEXIST") return false;
        throw error;
      } finally {
        removeQuietly(fs, temporary);
      }
      await flushDir(dirname(path));
      return true;
    },

    writeVolatile(path, data) {
      const temporary = temporaryFor(path);
      const fd = fs.openSync(temporary, "wx", PRIVATE_FILE);
      try {
        writeAll(fs, fd, typeof data === "string" ? Buffer.from(data) : data);
      } finally {
        fs.closeSync(fd);
      }
      renameOver(fs, temporary, path, platform);
    },

    append(path, data) {
      const fd = fs.openSync(path, APPEND, PRIVATE_FILE);
      try {
        writeAll(fs, fd, Buffer.from(data));
      } finally {
        fs.closeSync(fd);
      }
    },

    async rename(from, to) {
      renameOver(fs, from, to, platform);
      await flushDir(dirname(to));
    },

    remove(path) {
      ifExists(() => fs.unlinkSync(path));
    },

    leftovers(folder) {
      const names = files.list(folder).filter((name) => name.startsWith(TEMPORARY));
      return names.map((name) => join(folder, name));
    },

    sweep(folder) {
      for (const path of files.leftovers(folder)) files.remove(path);
    },

    removeEmptyDir(path) {
      try {
        fs.rmdirSync(path);
      } catch (error) {
        const code = systemCode(error);
        if (code !== "ENOTEMPTY" && code !== "ENOENT" && code !== "EEXIST") throw error;
      }
    },

    checkReplace: (path, size) => checkReplace(fs, platform, path, size),

    async replace(path, data, expected) {
      const target = fs.realpathSync(path);
      const temporary = temporaryFor(target);
      const old = fs.openSync(target, "r");
      try {
        if (!holds(fs, old, expected)) return { done: false };
        const like = identityOf(fs.fstatSync(old, { bigint: true }));
        await writeNew(temporary, data, (fd) => dress(fs, fd, like, platform), true);
        // Somebody may have put another file in its place (another inode), or written into this one.
        const still = () => {
          const now = identityOf(fs.statSync(target, { bigint: true }));
          return now.ino === like.ino && now.dev === like.dev && holds(fs, old, expected);
        };
        const replaced = await place(temporary, target, () => {
          if (!still()) return false;
          renameOver(fs, temporary, target, platform);
          return true;
        });
        if (!replaced) return { done: false };
        return holds(fs, old, expected) ? { done: true } : { done: true, lost: readAll(fs, old) };
      } finally {
        fs.closeSync(old);
      }
    },
  };
  return files;
}

function openNew(fs: FileSystem, path: string): number {
  try {
    return fs.openSync(path, "wx", PRIVATE_FILE);
  } catch (error) {
    throw withFolder(error, dirname(path));
  }
}

/** One `write` may be short (a full disk): goes on until all is written or the system says why not. */
function writeAll(fs: FileSystem, fd: number, data: Buffer): void {
  for (let done = 0; done < data.length;) done += fs.writeSync(fd, data, done, data.length - done);
}

function flush(fs: FileSystem, fd: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fsync(fd, (error) => (error ? reject(error) : resolve())));
}

/**
 * On Windows a virus scanner or an indexer may hold the target for a moment (EPERM, EACCES, EBUSY): tried again for up
 * to two seconds.
 */
function renameOver(fs: FileSystem, from: string, to: string, platform: NodeJS.Platform): void {
  for (let wait = 10; ; wait *= 2) {
    try {
      fs.renameSync(from, to);
      return;
    } catch (error) {
      const busy = ["EPERM", "EACCES", "EBUSY"].includes(systemCode(error) ?? "");
      if (platform !== "win32" || !busy || wait > 1000) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wait);
    }
  }
}

function dress(fs: FileSystem, fd: number, like: FileIdentity, platform: NodeJS.Platform): void {
  if (platform === "win32") return;
  chown(fs, fd, like);
  fs.fchmodSync(fd, like.mode);
}

function holds(fs: FileSystem, fd: number, expected: Buffer): boolean {
  return readAll(fs, fd).equals(expected);
}

/** From the start, wherever the descriptor stands. */
function readAll(fs: FileSystem, fd: number): Buffer {
  const data = Buffer.alloc(Number(fs.fstatSync(fd, { bigint: true }).size));
  let done = 0;
  for (let read = -1; read !== 0 && done < data.length; done += read) {
    read = fs.readSync(fd, data, done, data.length - done, done);
  }
  return data.subarray(0, done);
}

function chown(fs: FileSystem, fd: number, like: FileIdentity): void {
  try {
    fs.fchownSync(fd, like.uid, like.gid);
  } catch (error) {
    // Only root may give a file away; the mode is then all that can be kept.
    if (systemCode(error) !== "EPERM") throw error;
  }
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // What failed before is what the caller must hear of.
  }
}

function ifExists<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
