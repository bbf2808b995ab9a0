import type { Context } from "../context.ts";
import { formatTable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { errorJson } from "../migrate/report.ts";
import { wholeName } from "../rotate/settings.ts";
import { HUMAN } from "./rotate-one.ts";
import { isResting, type Standing, type Work } from "./rotate-standing.ts";

export interface Planned extends Standing {
  readonly work?: Work;
}

/** `--dry-run`: what would be done. No target is asked, and nothing is written. */
export function showPlan({ terminal }: Context, planned: readonly Planned[], json: boolean): number {
  if (json) for (const one of planned) terminal.out(planJson(one));
  else if (planned.length === 0) terminal.out("nothing is due\n");
  else terminal.out(formatTable(["REFERENCE", "TARGET", "WHAT"], planned.map(rowOf)));
  return planned.some(({ error }) => error !== undefined) ? EXIT.findings : EXIT.ok;
}

function rowOf(planned: Planned): string[] {
  const { secret } = planned;
  return [wholeName(secret.ref), secret.target, whatOf(planned)];
}

function whatOf({ secret, status, error, work }: Planned): string {
  if (error !== undefined) return error.message;
  if (status.phase === "stuck" || status.phase === "damaged") return "stuck: a person must look";
  if (!isResting(status.phase)) return `would be gone on with (${status.phase})`;
  if (secret.target === HUMAN) return "a person makes the new value";
  return work?.slot === undefined ? "would be rotated" : `would be rotated, for ${work.slot}`;
}

function planJson(planned: Planned): string {
  const { secret, error, status, work } = planned;
  const line = {
    schema: "mcp-secrets/rotate/1",
    reference: wholeName(secret.ref),
    target: secret.target,
    exit: error === undefined ? EXIT.ok : error.exit,
    outcome: "planned",
    phase: status.phase,
    ...(work?.slot === undefined ? {} : { slot: work.slot }),
    ...(error === undefined ? {} : { error: errorJson(error) }),
  };
  return `${JSON.stringify(line)}\n`;
}
