import type { Context } from "../context.ts";
import { printable } from "../core/table.ts";
import { moveTable } from "../migrate/move-report.ts";
import { namedRefs, type Plan, type PlannedEntry } from "../migrate/plan.ts";
import { planTable } from "../migrate/report.ts";
import type { Gathered } from "./gather.ts";
import { entriesWithoutWord, rewritingOf } from "./move.ts";
import { tellKept } from "./moved.ts";
import type { OldCopy } from "./old-copies.ts";

interface Shown extends Gathered {
  readonly plan: Plan;
  readonly copies: readonly OldCopy[];
}

/** What `migrate` would do, for a person: no value is in it. */
export function showPlan(context: Context, { plan, configs, failures, copies }: Shown): void {
  const { terminal } = context;
  if (configs.length === 0 && failures.length === 0) {
    terminal.out("no config of an MCP client was found; name one: mcp-secrets migrate --config FILE\n");
  }
  for (const config of plan.configs) {
    terminal.out(`${printable(config.path)}\n`);
    if (config.findings.length > 0) terminal.out(planTable(config));
    else if (config.edits.length === 0 && config.moves === undefined) terminal.out("nothing to do\n");
    if (config.moves !== undefined) terminal.out(moveTable(config.moves));
    const read = configs.find(({ place }) => place.path === config.path);
    const unsure = read === undefined ? [] : entriesWithoutWord(context, rewritingOf(context, config, read));
    for (const entry of unsure) terminal.out(namedText(entry));
  }
  tellKept(context, copies);
}

/** An entry that names stored secrets may have been written to get at them: what it would start is shown, whole. */
function namedText(entry: PlannedEntry): string {
  const { server, command, args } = entry;
  const refs = namedRefs(entry);
  const words = [command, ...args].map((word) => `  ${JSON.stringify(word)}`);
  const lines = [`${server} names stored secrets (${refs.join(", ")}): approve decides. It starts`, ...words];
  return lines.map((line) => `${printable(line)}\n`).join("");
}
