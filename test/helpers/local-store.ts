import { randomBytes } from "node:crypto";
import * as nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "../../providers/local/index.ts";
import type { ProviderOptions } from "../../src/core/provider.ts";
import { type FileSystem, createFiles } from "../../src/io/files.ts";
import { createLock } from "../../src/io/locks.ts";

export const random = () => randomBytes(12).toString("hex");

/** A home of mcp-secrets in a folder of its own. */
export interface TemporaryHome extends Disposable {
  readonly home: string;
  /** What a provider gets, over a file system of your own. */
  options(fs?: FileSystem, now?: () => number): ProviderOptions;
  /** The local store as a new process would see it. */
  open(fs?: FileSystem, now?: () => number): ReturnType<typeof open>;
  /** Every file below the home, sorted. */
  files(): string[];
}

export function temporaryHome(): TemporaryHome {
  const root = nodeFs.mkdtempSync(join(tmpdir(), "mcps-store-"));
  const home = join(root, "home");
  const lock = createLock({ pid: process.pid, now: Date.now, random });
  const options = (fs: FileSystem = nodeFs, now: () => number = Date.now): ProviderOptions => {
    return { store: "local", home, files: createFiles({ fs, platform: process.platform, random }), lock, now };
  };
  return {
    home,
    options,
    open: (fs, now) => open(options(fs, now)),
    files: () => filesBelow(home),
    [Symbol.dispose]: () => nodeFs.rmSync(root, { recursive: true, force: true }),
  };
}

function filesBelow(folder: string): string[] {
  if (!nodeFs.existsSync(folder)) return [];
  const entries = nodeFs.readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}
