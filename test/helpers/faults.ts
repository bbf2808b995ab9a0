import * as nodeFs from "node:fs";
import type { FileSystem } from "../../src/io/files.ts";

/** A file system that fails on purpose: given to `createFiles({ fs })`. */
export interface FaultyFileSystem {
  readonly fs: FileSystem;
  /** Calls made so far. */
  calls(): number;
  /** True once the fault has happened. */
  failed(): boolean;
}

export interface Fault {
  /** The call that fails, counted from 1. */
  readonly at: number;
  /** `before`: the call does nothing. `after`: it takes effect and fails all the same. */
  readonly when?: "before" | "after";
  /** `true`: every later call fails too and does nothing, as after the death of the process: no clean-up either. */
  readonly forGood?: boolean;
  readonly code?: string;
}

/** Fails at the k-th call of whatever kind. */
export function failAt({ at, when = "before", forGood = false, code = "EIO" }: Fault): FaultyFileSystem {
  let calls = 0;
  return wrap((call) => {
    calls += 1;
    if (calls < at || (calls > at && !forGood)) return call.run();
    if (calls === at && when === "after") call.run();
    throw systemError(code, call.name);
  });

  function wrap(around: (call: Call) => unknown): FaultyFileSystem {
    return { fs: wrapped(around), calls: () => calls, failed: () => calls >= at };
  }
}

/** A disk with room for so many bytes: the write that hits the end is short, the next one fails with ENOSPC. */
export function fullAfter(bytes: number): FaultyFileSystem {
  let room = bytes;
  let calls = 0;
  let failed = false;
  const fs = wrapped(({ name, args, run }) => {
    calls += 1;
    if (name !== "writeSync") return run();
    const [fd, data, offset, length] = args as [number, Buffer, number, number];
    failed ||= length > room;
    if (room === 0) throw systemError("ENOSPC", name);
    const written = nodeFs.writeSync(fd, data, offset, Math.min(length, room));
    room -= written;
    return written;
  });
  return { fs, calls: () => calls, failed: () => failed };
}

interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly run: () => unknown;
}

/** `fsync` tells its end by a callback, as Node's does; every other call by returning or throwing. */
function wrapped(around: (call: Call) => unknown): FileSystem {
  const entries = Object.entries(nodeFs)
    .filter(([name, real]) => typeof real === "function" && name.endsWith("Sync"))
    .map(([name, real]) => {
      const call = real as (...args: unknown[]) => unknown;
      return [name, (...args: unknown[]) => around({ name, args, run: () => call(...args) })] as const;
    });
  const fsync: FileSystem["fsync"] = (fd, done) => {
    try {
      around({ name: "fsync", args: [fd], run: () => nodeFs.fsyncSync(fd) });
    } catch (error) {
      setImmediate(() => done(error as Error));
      return;
    }
    setImmediate(() => done(null));
  };
  return { ...nodeFs, ...Object.fromEntries(entries), fsync };
}

function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall });
}
