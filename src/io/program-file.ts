import { constants, accessSync, closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { ProgramFile } from "../core/processes.ts";
import { systemCode } from "../errors.ts";

/** Enough for the longest first line that Linux reads of a script (execve(2)). */
const HEAD = 256;

/** What a path holds that is to be run: a program, something else, or nothing (undefined). */
export function probeProgram(path: string): "program" | "other" | undefined {
  try {
    // Without a throw, which costs more than the look: it is done for every folder of PATH.
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!found.isFile()) return "other";
    accessSync(path, constants.X_OK);
    return "program";
  } catch (error) {
    // ENAMETOOLONG, ELOOP: no such program either.
    return systemCode(error) === "EACCES" ? "other" : undefined;
  }
}

/** The first bytes of a program and whether it may be run; undefined where it cannot be read. */
export function inspectProgram(path: string): ProgramFile | undefined {
  try {
    accessSync(path, constants.X_OK);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const head = Buffer.alloc(HEAD);
      return { regular: fstatSync(fd).isFile(), head: head.subarray(0, readSync(fd, head, 0, HEAD, 0)) };
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
