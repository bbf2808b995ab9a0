import { join } from "node:path";
import type { Context } from "../context.ts";
import type { FileIdentity } from "../core/files.ts";
import { unsafeFolders } from "../launch/home.ts";
import { launcherProblem } from "../launch/install.ts";
import { type Check, firstOf, ok, problem } from "./check.ts";

/** What only the owner may have: everything below the home folder is 0600, folders and programs 0700. */
const OTHERS = 0o077;

export function homeChecks(context: Context): Check[] {
  const { files, home, uid } = context;
  if (files.look(home) === undefined) return [ok(home, "not made yet: nothing was stored")];
  if (uid < 0) return [ok(home, "there")];
  const unsafe = unsafeFolders(context);
  const checks = unsafe.map(({ path, detail, hint }) => problem(path, detail, hint));
  const wide = widePaths(context).filter((path) => !unsafe.some((folder) => folder.path === path));
  if (wide.length > 0) {
    checks.push(problem(home, `other users have rights to: ${firstOf(wide)}`, "mcp-secrets doctor --fix"));
  }
  const foreign = foreignPaths(context).filter((path) => !unsafe.some((folder) => path.startsWith(folder.path)));
  if (foreign.length > 0) {
    checks.push(problem(home, `belongs to another user: ${firstOf(foreign)}`, `sudo chown -R ${uid} ${home}`));
  }
  return checks.length > 0 ? checks : [ok(home, "private")];
}

/** `needed`: something starts through it. */
export async function launcherChecks(context: Context, needed: boolean): Promise<Check[]> {
  const wrong = await launcherProblem(context);
  if (wrong === undefined) return [ok("launcher", "in place")];
  if (!needed) return [ok("launcher", "not needed yet: migrate installs it")];
  return [problem("launcher", wrong, "mcp-secrets doctor --fix")];
}

/** Takes the rights of others away. What belongs to another user is left alone: it is not ours to judge. */
export function mendModes(context: Context): void {
  if (context.uid < 0) return;
  const foreign = new Set(foreignPaths(context));
  for (const path of widePaths(context)) if (!foreign.has(path)) context.files.makePrivate(path);
}

function widePaths(context: Context): string[] {
  return below(context).flatMap(({ path, found }) => ((found.mode & OTHERS) === 0 ? [] : [path]));
}

function foreignPaths(context: Context): string[] {
  return below(context).flatMap(({ path, found }) => (found.uid === context.uid ? [] : [path]));
}

interface Found {
  readonly path: string;
  readonly found: FileIdentity;
}

/**
 * The home folder and everything in it. A link is followed where it stands for the home; one in place of a part is judged
 * by the folder that it leads to (`unsafeFolders`), and what else is in there is not ours to look at or to change.
 */
function below({ files, home }: Context): Found[] {
  const all: Found[] = [];
  const walk = (path: string, depth: number): void => {
    const seen = files.look(path);
    if (seen === undefined) return;
    const found = seen.kind === "link" && depth === 0 ? files.identify(path) : seen;
    if (found.kind === "link") return;
    all.push({ path, found });
    if (found.kind === "directory") for (const name of files.list(path)) walk(join(path, name), depth + 1);
  };
  walk(home, 0);
  return all;
}
