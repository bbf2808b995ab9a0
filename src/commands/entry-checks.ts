import type { Entry } from "../clients/document.ts";
import type { Context } from "../context.ts";
import { findRefs, formatRef } from "../core/ref.ts";
import type { ApprovalBook } from "../launch/approvals.ts";
import { cautions } from "../launch/cautions.ts";
import type { Migration } from "../migrate/journal.ts";
import type { ReadConfig } from "../migrate/read.ts";
import { type Unwrapped, unwrap, wordsOf } from "../migrate/wrapper.ts";
import { type Check, checked, ok, problem, warning } from "./check.ts";
import type { StoreView } from "./store-checks.ts";

/** What entries are held against; all of it was read once. */
export interface EntryWorld {
  readonly context: Context;
  readonly approvals: ApprovalBook;
  readonly stores: StoreView;
  /** The servers that were migrated, by the config that they stood in, links followed. */
  readonly migrated: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Of the migrations that were not undone. */
export function migratedServers(migrations: readonly Migration[]): Map<string, Set<string>> {
  const migrated = new Map<string, Set<string>>();
  for (const { config, servers } of migrations.filter(({ state }) => state === "done")) {
    migrated.set(config, new Set([...(migrated.get(config) ?? []), ...servers]));
  }
  return migrated;
}

export async function configChecks(world: EntryWorld, { place, input, problems }: ReadConfig): Promise<Check[]> {
  const config = world.context.files.realpath(place.path);
  const checks: Check[] = [];
  for (const { entry, findings } of input.entries) {
    const about = `${place.id}/${entry.server}`;
    const unwrapped = unwrap(entry);
    if (findings.length > 0) {
      const again = unwrapped === undefined && world.migrated.get(config)?.has(entry.server) === true;
      const what = again ? "the plaintext is back: the client wrote its old copy" : "plaintext secrets in the config";
      checks.push(problem(about, `${what} (${findings.length})`, `mcp-secrets migrate --config ${place.path}`));
    }
    if (unwrapped !== undefined) {
      checks.push(...(await checked(unwrapped.id, () => wrappedChecks(world, config, entry, unwrapped))));
    }
  }
  for (const { server, problem: wrong } of problems) {
    checks.push(problem(`${place.id}/${server}`, wrong, `mend ${place.path} by hand`));
  }
  return checks.length > 0 ? checks : [ok(place.path, "no plaintext secret")];
}

/** @throws UserError reference-invalid */
async function wrappedChecks(world: EntryWorld, config: string, entry: Entry, { id }: Unwrapped): Promise<Check[]> {
  const [command = "", ...args] = wordsOf(entry).map(({ text }) => text);
  const env = Object.fromEntries(entry.env.map(({ name, text }) => [name, text]));
  const { pointer, members = {} } = entry;
  const subject = { id, command, args, env, members, config, pointer };
  const changes = world.approvals.changesOf(subject);
  const checks: Check[] = [];
  if (changes?.length !== 0) {
    const detail =
      changes === undefined ? "nobody has approved it" : `${changes.join(", ")} changed since it was approved`;
    checks.push(problem(id, detail, `mcp-secrets approve ${id}`));
  }
  const inArgs = [command, ...args].flatMap(findRefs).map(({ ref }) => ref);
  if (inArgs.length > 0) {
    checks.push(warning(id, `in the process list while the server runs: ${inArgs.map(formatRef).join(", ")}`));
  }
  checks.push(...cautions(subject, world.context.platform).map((caution) => warning(id, caution)));
  const refs = [
    ...inArgs,
    ...Object.values(env)
      .flatMap(findRefs)
      .map(({ ref }) => ref),
  ];
  for (const ref of refs) {
    const wrong = await world.stores.problemOf(ref);
    if (wrong !== undefined) checks.push(problem(id, wrong.message, wrong.hint));
  }
  return checks.length > 0 ? checks : [ok(id, `approved, ${refs.length} references resolve`)];
}
