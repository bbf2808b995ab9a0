import type { Context } from "../context.ts";
import { parseRef } from "../core/ref.ts";
import { printable } from "../core/table.ts";
import { told } from "../core/told.ts";
import { movedSecrets } from "../migrate/move.ts";
import type { ConfigPlan } from "../migrate/plan.ts";
import type { ReadConfig } from "../migrate/read.ts";
import type { ConfigReport } from "../migrate/report.ts";
import { type OldCopy, oldCopies } from "./old-copies.ts";

/** What `migrate` tells of secrets that move between stores, beside the plan itself. */

/** Commands that are printed: whoever has more takes `--json`. */
const MOST_LINES = 50;

/** The old copies as they will be once the plan is carried out. */
export function plannedCopies(
  context: Context,
  plans: readonly ConfigPlan[],
  configs: readonly ReadConfig[],
): readonly OldCopy[] {
  const secrets = secretsOf(plans);
  return secrets.length === 0 ? [] : oldCopies(context, secrets, plannedBytes(context, plans, configs));
}

/** What the configs will hold, by their paths, links followed. */
export function plannedBytes(
  { files }: Context,
  plans: readonly ConfigPlan[],
  configs: readonly ReadConfig[],
): ReadonlyMap<string, Buffer> {
  const rewritten = plans.flatMap(({ path, edits }): [string, Buffer][] => {
    const read = configs.find(({ place }) => place.path === path);
    return read === undefined ? [] : [[files.realpath(path), read.place.row.format.edit(read.bytes, edits)]];
  });
  return new Map(rewritten);
}

/** The old copies of what has moved. */
export function copiesLeft(context: Context, reports: readonly ConfigReport[]): readonly OldCopy[] {
  const done = reports.filter(({ status }) => status === "migrated");
  return oldCopies(context, secretsOf(done.flatMap(({ plan }) => plan ?? [])));
}

/** Before the confirmation: who keeps the old reference. */
export function tellKept({ terminal }: Pick<Context, "terminal">, copies: readonly OldCopy[]): void {
  for (const { reference, referredBy } of copies) {
    if (referredBy.length > 0)
      terminal.out(`${reference} stays as well, for ${referredBy.map(printable).join(", ")}\n`);
  }
}

/** Afterwards: a source is never removed by us, for it may be the only copy that somebody knows of. */
export function tellOld({ terminal }: Context, copies: readonly OldCopy[]): void {
  tellKept({ terminal }, copies);
  const free = copies.filter(({ referredBy }) => referredBy.length === 0).map(({ reference }) => reference);
  if (free.length === 0) return;
  const shared = [...new Set(free.map((reference) => parseRef(reference).store))].filter((store) => store !== "local");
  const others = shared.length === 0 ? "" : `; other machines may use store ${shared.join(", ")}: ask before`;
  terminal.out(`nothing here refers to these old copies any more${others}\n`);
  for (const reference of free.slice(0, MOST_LINES)) terminal.out(`  mcp-secrets rm ${reference}\n`);
  if (free.length > MOST_LINES) terminal.out(`  and ${free.length - MOST_LINES} more\n`);
}

/** Warnings, and what to do now. */
export function tellMoved({ terminal }: Context, reports: readonly ConfigReport[]): void {
  for (const { plan, unapproved = [] } of reports) {
    for (const { server, from, left } of plan?.moves ?? []) {
      if (left === undefined) continue;
      terminal.err(told("warning", `${server} keeps a reference to store ${from.store}: ${left}`));
    }
    for (const id of unapproved) {
      terminal.err(told("warning", `${id} is not approved as it stands, before as after`, `mcp-secrets approve ${id}`));
    }
  }
}

function secretsOf(plans: readonly ConfigPlan[]): readonly string[] {
  return [...new Set(plans.flatMap(({ moves = [] }) => movedSecrets(moves).map(([from]) => from)))];
}
