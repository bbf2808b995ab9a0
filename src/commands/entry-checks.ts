import type { Entry } from "../clients/document.ts";
import type { Context } from "../context.ts";
import { findRefs, formatRef } from "../core/ref.ts";
import { shellWord } from "../core/shell.ts";
import type { ApprovalBook } from "../launch/approvals.ts";
import { cautions } from "../launch/cautions.ts";
import { type IdHome, idsOf } from "../migrate/ids.ts";
import type { Migration } from "../migrate/journal.ts";
import { whyLeft } from "../migrate/plan.ts";
import type { ReadConfig } from "../migrate/read.ts";
import { type Unwrapped, unwrap, wordsOf } from "../migrate/wrapper.ts";
import { type Check, checked, ok, problem, warning } from "./check.ts";
import type { StoreView } from "./store-checks.ts";

/** What entries are held against; all of it was read once. */
export interface EntryWorld {
  readonly context: Context;
  readonly approvals: ApprovalBook;
  readonly stores: StoreView;
  /** Where an id is approved and stands. */
  readonly homeOf: (id: string) => IdHome | undefined;
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

export async function configChecks(
  world: EntryWorld,
  { place, document, input, problems }: ReadConfig,
): Promise<Check[]> {
  const config = world.context.files.realpath(place.path);
  const checks: Check[] = [];
  const ids = idsOf({ config, client: place.id, entries: document.entries }, world.homeOf);
  for (const { entry, findings } of input.entries) {
    const about = `${place.id}/${entry.server}`;
    const again = `mcp-secrets migrate --config ${shellWord(place.path)}`;
    const unwrapped = unwrap(entry);
    if (findings.length > 0) {
      const wasMoved = unwrapped === undefined && world.migrated.get(config)?.has(entry.server) === true;
      const what = wasMoved
        ? "the plaintext is back: the client wrote its old copy"
        : "plaintext secrets in the config";
      const left = whyLeft(entry, findings);
      const [why, hint] = left === undefined ? ["", again] : [`, and migrate leaves it: ${left}`, leftHint(place.path)];
      checks.push(problem(about, `${what} (${findings.length})${why}`, hint));
    }
    if (unwrapped !== undefined && ids.get(entry.pointer) !== unwrapped.id) {
      checks.push(problem(about, `it is a copy: ${unwrapped.id}, under which it starts, is another entry`, again));
    } else if (unwrapped !== undefined) {
      checks.push(...(await checked(unwrapped.id, () => wrappedChecks(world, config, entry, unwrapped))));
    }
  }
  for (const { server, problem: wrong } of problems) {
    checks.push(problem(`${place.id}/${server}`, wrong, `mend ${place.path} by hand`));
  }
  return checks.length > 0 ? checks : [ok(place.path, "no plaintext secret")];
}

function leftHint(path: string): string {
  return `edit ${shellWord(path)} by hand: only what starts a program through the launcher can have a reference`;
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
      changes === undefined ? "nobody has approved it" : `changed since it was approved: ${changes.join(", ")}`;
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
