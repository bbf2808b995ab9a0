import { createHash } from "node:crypto";
import { posix, win32 } from "node:path";
import type { Files } from "../core/files.ts";
import { clients, customClient } from "./table.ts";
import type { ClientRow } from "./table.ts";

/** What of the Context tells where configs are. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly userHome: string;
  readonly cwd: string;
  readonly files: Files;
}

/** A config of a client. */
export interface ConfigPlace {
  readonly path: string;
  /** The client part of the ids of its entries: `claude-desktop`, or `claude-desktop@1f0c22ab` where it has several. */
  readonly id: string;
  readonly row: ClientRow;
}

/** The configs that exist for this user, in the order of the table. */
export function locateConfigs(machine: Machine): readonly ConfigPlace[] {
  return clients.flatMap((row) => placesOf(row, machine));
}

/**
 * The place of a config that the user names; it need not exist. A path that no client has belongs to `custom`. `located`
 * is what `locateConfigs` says, for who asks for many.
 */
export function placeOf(machine: Machine, path: string, located = locateConfigs(machine)): ConfigPlace {
  const absolute = pathsOf(machine).resolve(machine.cwd, path);
  const real = realpath(machine.files, absolute);
  const known = located.find((place) => realpath(machine.files, place.path) === real);
  return known ?? { path: absolute, id: `${customClient.id}@${fingerprint(real)}`, row: customClient };
}

/** The places where a client may keep its config on this machine, whether or not a file is there. */
export function candidates(row: ClientRow, machine: Machine): readonly string[] {
  return (row.paths[machine.platform] ?? []).flatMap((pattern) => {
    const path = expand(pattern, machine);
    return path === undefined ? [] : glob(path, machine);
  });
}

function placesOf(row: ClientRow, machine: Machine): readonly ConfigPlace[] {
  const found = new Map<string, string>();
  for (const path of candidates(row, machine)) {
    if (machine.files.look(path) === undefined) continue;
    const real = realpath(machine.files, path);
    if (!found.has(real)) found.set(real, path);
  }
  const several = found.size > 1;
  return [...found].map(([real, path]) => ({ path, id: several ? `${row.id}@${fingerprint(real)}` : row.id, row }));
}

/** The pattern with home and variables put in, or undefined where a variable is not set. */
function expand(pattern: string, { env, userHome }: Machine): string | undefined {
  const names = [...pattern.matchAll(/%(\w+)%/g)].map((match) => match[1] ?? "");
  if (names.some((name) => (env[name] ?? "") === "")) return undefined;
  const path = pattern.replaceAll(/%(\w+)%/g, (_, name: string) => env[name] ?? "");
  return path.startsWith("~/") ? `${userHome}${path.slice(1)}` : path;
}

/** The paths that a path with at most one `*` means. */
function glob(path: string, machine: Machine): readonly string[] {
  const star = path.indexOf("*");
  if (star < 0) return [path];
  const paths = pathsOf(machine);
  const start = path.lastIndexOf(paths.sep, star) + 1;
  const end = path.indexOf(paths.sep, star);
  const folder = path.slice(0, start - 1);
  const [before = "", after = ""] = path.slice(start, end).split("*");
  const fits = (name: string) =>
    name.startsWith(before) && name.endsWith(after) && name.length >= before.length + after.length;
  return machine.files
    .list(folder)
    .filter(fits)
    .map((name) => paths.join(folder, name, path.slice(end + 1)));
}

function pathsOf({ platform }: Machine): typeof posix {
  return platform === "win32" ? win32 : posix;
}

/** The path with its links followed, or as it is where it leads nowhere. */
function realpath(files: Files, path: string): string {
  return files.look(path) === undefined ? path : followed(files, path);
}

function followed(files: Files, path: string): string {
  try {
    return files.realpath(path);
  } catch {
    return path;
  }
}

/** Eight hex digits that stand for a path. */
function fingerprint(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 8);
}
