import { formatRef } from "../core/ref.ts";
import { formatTable, printable } from "../core/table.ts";
import type { UserError } from "../errors.ts";
import { movedCount, moveJson } from "./move-report.ts";
import type { ConfigPlan, Plan, PlannedFinding } from "./plan.ts";
import type { ReadConfig } from "./read.ts";

/** How it went for one config. `left` findings and entry problems are told apart from what was planned. */
export interface ConfigReport {
  readonly path: string;
  readonly client: string;
  readonly status: "planned" | "migrated" | "nothing" | "found" | "failed";
  readonly plan?: ConfigPlan;
  readonly problems: readonly { readonly server: string; readonly problem: string }[];
  /** True where the file has no servers at all, which may mean that they are elsewhere in it. */
  readonly empty?: boolean;
  readonly error?: UserError;
  /** Ids of entries whose references moved and which are not approved as they stand. */
  readonly unapproved?: readonly string[];
}

/** What was read, and what could not be. */
interface ReadConfigs {
  readonly configs: readonly ReadConfig[];
  readonly failures: readonly { readonly place: ReadConfig["place"]; readonly error: UserError }[];
}

/** One report a config, in the order of the plan, then those that could not be read. */
export function reportsOf(plan: Plan, { configs, failures }: ReadConfigs, found: "planned" | "found"): ConfigReport[] {
  const read = plan.configs.map((config, index): ConfigReport => {
    const work = found === "planned" ? config.edits : config.findings;
    const status = work.length === 0 ? "nothing" : found;
    const problems = configs[index]?.problems ?? [];
    const empty = problems.length === 0 && configs[index]?.document.entries.length === 0;
    return { path: config.path, client: config.client, status, plan: config, problems, empty };
  });
  const failed = failures.map(({ place, error }): ConfigReport => {
    return { path: place.path, client: place.id, status: "failed", problems: [], error };
  });
  return [...read, ...failed];
}

/** The shape that `migrate --json` and `scan --json` share; values of secrets have no place in it. `more` is `migrate`'s alone. */
export function reportJson(command: "migrate" | "scan", reports: readonly ConfigReport[], more: object = {}): string {
  const configs = reports.map(({ path, client, status, plan, problems, error, unapproved = [] }) => ({
    path,
    client,
    status,
    findings: plan?.findings.map((finding) => findingJson(client, finding)) ?? [],
    ...(plan?.moves === undefined ? {} : { moves: plan.moves.map((move) => moveJson(client, move)) }),
    ...(unapproved.length === 0 ? {} : { unapproved }),
    ...(problems.length === 0 ? {} : { problems }),
    ...(error === undefined ? {} : { error: errorJson(error) }),
  }));
  return `${JSON.stringify({ schema: `mcp-secrets/${command}/1`, configs, ...more }, null, 2)}\n`;
}

function findingJson(client: string, { finding, reference, argvVisible, movedTo, left }: PlannedFinding) {
  const { server, pointer, start, end, kind, confidence, reason } = finding;
  return {
    entry: `${client}/${server}`,
    pointer,
    start,
    end,
    kind,
    confidence,
    reason,
    ...(reference === undefined ? {} : { reference: formatRef(reference), argvVisible }),
    ...(movedTo === undefined ? {} : { movedTo }),
    ...(left === undefined ? {} : { left }),
  };
}

/** An error inside a document: the same members as one on stderr. */
export function errorJson({ code, exit, message, hint }: UserError) {
  return { code, exit, message, ...(hint === undefined ? {} : { hint }) };
}

/** What is planned for one config, as a table: never a value. */
export function planTable(plan: ConfigPlan): string {
  return formatTable(
    ["SERVER", "WHERE", "KIND", "REFERENCE", "IN THE PROCESS LIST"],
    plan.findings.map((planned) => [
      planned.finding.server,
      whereOf(planned),
      planned.finding.kind,
      planned.reference === undefined ? "-" : formatRef(planned.reference),
      argvOf(planned),
    ]),
  );
}

/** What was found in one config, as a table. */
export function findingTable(plan: ConfigPlan): string {
  return formatTable(
    ["SERVER", "WHERE", "KIND", "CONFIDENCE", "WHY"],
    plan.findings.map((planned) => [
      planned.finding.server,
      whereOf(planned),
      planned.finding.kind,
      planned.finding.confidence,
      planned.finding.reason,
    ]),
  );
}

function whereOf({ finding }: PlannedFinding): string {
  return finding.place === "url" ? "url" : `${finding.place} ${finding.name}`;
}

function argvOf({ left, movedTo, argvVisible }: PlannedFinding): string {
  if (left !== undefined) return `stays: ${left}`;
  if (movedTo !== undefined) return `no: moves to the variable ${movedTo}`;
  return argvVisible ? "yes, while the server runs" : "no";
}

/** One line for a config that was worked on; nothing for one that was not. */
export function outcomeText({ path, status, plan }: ConfigReport): string {
  if (status !== "migrated") return "";
  const secrets = new Set(plan?.findings.flatMap(({ reference }) => reference ?? []).map(formatRef)).size;
  const servers = plan?.entries.length ?? 0;
  const moved = movedCount(plan?.moves);
  const parts = [
    count(servers, "server"),
    ...(secrets > 0 || moved === 0 ? [count(secrets, "secret")] : []),
    ...(moved > 0 ? [`${count(moved, "secret")} from another store`] : []),
  ];
  return `rewrote ${printable(path)}: ${parts.join(", ")}\n`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
