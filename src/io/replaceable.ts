import { constants } from "node:fs";
import { dirname } from "node:path";
import type { FileSystem } from "./files.ts";

const STICKY = 0o1000;

/** Throws what replacing the file at `path` by `size` bytes would, as far as it can be known without a write. */
export function checkReplace(fs: FileSystem, platform: NodeJS.Platform, path: string, size: number): void {
  const target = fs.realpathSync(path);
  const folder = dirname(target);
  fs.accessSync(folder, constants.W_OK | constants.X_OK);
  if (platform !== "win32" && isKept(fs, folder, target)) {
    throw refusal("EPERM", "the file is another user's, in a sticky folder", folder);
  }
  const { blocks, bfree, bsize } = fs.statfsSync(folder);
  // A file system that tells nothing has no blocks.
  if (blocks > 0 && bfree * bsize < size) throw refusal("ENOSPC", "no space left on device", folder);
}

/** In a sticky folder a file is renamed over by its owner and that of the folder only, rename(2). */
function isKept(fs: FileSystem, folder: string, file: string): boolean {
  const uid = process.getuid?.() ?? 0;
  const { mode, uid: owner } = fs.statSync(folder);
  return uid !== 0 && (mode & STICKY) !== 0 && owner !== uid && fs.statSync(file).uid !== uid;
}

function refusal(code: string, what: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${what}, '${path}'`), { code, path });
}

/** Of a new file under a name of ours nobody knows: what counts is `folder`, where there is no room or no right. */
export function withFolder(error: unknown, folder: string): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  // An error of a descriptor says no path at all.
  const message = "path" in error ? error.message : `${error.message}, '${folder}'`;
  return Object.assign(error, { path: folder, message });
}
