import { formatRef } from "../core/ref.ts";
import { formatTable } from "../core/table.ts";
import type { UserError } from "../errors.ts";
import type { ConfigPlan, PlannedFinding } from "./plan.ts";

/** How it went for one config. `left` findings and entry problems are told apart from what was planned. */
export interface ConfigReport {
  readonly path: string;
  readonly client: string;
  readonly status: "planned" | "migrated" | "nothing" | "found" | "failed";
  readonly plan?: ConfigPlan;
  readonly problems: readonly { readonly server: string; readonly problem: string }[];
  readonly error?: UserError;
}

/** The shape that `migrate --json` and `scan --json` share; values of secrets have no place in it. */
export function reportJson(command: "migrate" | "scan", reports: readonly ConfigReport[]): string {
  const configs = reports.map(({ path, client, status, plan, problems, error }) => ({
    path,
    client,
    status,
    findings: plan?.findings.map((finding) => findingJson(client, finding)) ?? [],
    ...(problems.length === 0 ? {} : { problems }),
    ...(error === undefined ? {} : { error: errorJson(error) }),
  }));
  return `${JSON.stringify({ schema: `mcp-secrets/${command}/1`, configs }, null, 2)}\n`;
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

function errorJson({ code, exit, message, hint }: UserError) {
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
