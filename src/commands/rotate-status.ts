import type { Context } from "../context.ts";
import { formatDuration } from "../core/duration.ts";
import { formatTable, printable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { errorJson } from "../migrate/report.ts";
import { holdersBefore } from "../rotate/holders.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import { type Exposed, readExposed, riskText } from "./exposures.ts";
import { lastOf } from "./rotate-last.ts";
import { HUMAN, isPast } from "./rotate-one.ts";
import { postdatedHint, retireHint, stuckHint, timeOf } from "./rotate-report.ts";
import { CLOCK_TOLERANCE } from "../rotate/outcome.ts";
import { isPostdated, isResting, nextWork, readStandings, type Standing, workOf } from "./rotate-standing.ts";
import { openWorld, rotatedSecret, type World } from "./rotation.ts";

/** One secret, as `rotate status` tells of it. */
interface StatusRow {
  readonly standing: Standing;
  readonly state: string;
  /** When it is due next, in milliseconds since the epoch. */
  readonly next?: number;
  readonly exposed: readonly Exposed[];
  /** Entries of running launches that have an older version. */
  readonly holders: readonly string[];
}

/** `rotate status`: what is rotated and what should be. Ends with 70 where something is stuck, with 1 where it cannot be told. */
export async function runRotateStatus(context: Context, options: { readonly json?: boolean }): Promise<number> {
  const world = openWorld(context);
  const exposed = await readExposed(world);
  const standings = await readStandings(world, secretsOf(world, exposed));
  const rows = standings.map((standing) => rowOf(world, standing, exposed));
  if (options.json === true) context.terminal.out(asJson(rows));
  else show(context, rows);
  if (rows.some(({ state }) => state === "stuck")) return EXIT.stuck;
  return standings.some(({ error }) => error !== undefined) ? EXIT.findings : EXIT.ok;
}

/** Those of the settings in their order, then what else is in question, the worst first. */
function secretsOf(world: World, exposed: readonly Exposed[]): RotatedSecret[] {
  const all = [...world.settings.secrets, ...exposed.map(({ ref }) => rotatedSecret(world, ref))];
  return [...new Map(all.map((secret) => [wholeName(secret.ref), secret])).values()];
}

function rowOf({ context, launches }: World, standing: Standing, all: readonly Exposed[]): StatusRow {
  const name = wholeName(standing.secret.ref);
  const exposed = all.filter(({ ref }) => wholeName(ref) === name);
  const { version } = standing;
  const next = standing.error === undefined ? nextWork(standing, context.now()) : undefined;
  return {
    standing,
    state: stateOf(standing, exposed, context.now()),
    exposed,
    holders: version === undefined ? [] : holdersBefore(launches, standing.secret.ref, version),
    ...(next === undefined ? {} : { next }),
  };
}

/** In one word what matters most. */
function stateOf(standing: Standing, exposed: readonly Exposed[], now: number): string {
  const { status, error } = standing;
  if (error !== undefined) return "unknown";
  if (status.phase === "stuck" || status.phase === "damaged") return "stuck";
  if (!isResting(status.phase)) return waitsForPerson(standing) ? "replaced" : status.phase;
  if (exposed.some(({ state }) => state === "exposed")) return "exposed";
  if (workOf(standing, now) !== undefined) return "due";
  if (isPersonDue(standing, now)) return "due";
  if (exposed.length > 0) return "replaced";
  if (isPostdated(standing, now)) return "postdated";
  return lastOf(standing, now)?.isGood === false ? "failed" : "ok";
}

/** The new value is current, and the old one ends by hand. */
export function waitsForPerson({ secret, status }: Standing): boolean {
  return secret.target === HUMAN && isPast(status.phase);
}

/** A person's secret that is older than its settings allow. */
export function isPersonDue({ secret, madeAt }: Standing, now: number): boolean {
  return secret.target === HUMAN && secret.maxAge !== undefined && madeAt !== undefined && now - madeAt > secret.maxAge;
}

function asJson(rows: readonly StatusRow[]): string {
  const secrets = rows.map(({ standing, state, next, exposed, holders }) => {
    const { secret, status, madeAt, version, run, error } = standing;
    const { last, problem, promotedAt, until } = status;
    return {
      reference: wholeName(secret.ref),
      target: secret.target,
      state,
      phase: status.phase,
      ...(secret.owner === undefined ? {} : { owner: secret.owner }),
      ...(version === undefined ? {} : { version }),
      ...(madeAt === undefined ? {} : { madeAt: timeOf(madeAt) }),
      ...(next === undefined ? {} : { next: timeOf(next) }),
      ...(promotedAt === undefined ? {} : { promotedAt: timeOf(promotedAt) }),
      ...(until === undefined ? {} : { until: timeOf(until) }),
      ...(last === undefined ? {} : { last: { ...lastJson(last) } }),
      ...(run === undefined ? {} : { lastRun: run }),
      ...(problem === undefined ? {} : { problem }),
      ...(error === undefined ? {} : { error: errorJson(error) }),
      exposed: exposed.map(({ reference, since, state: kind, risk, places, ending }) => {
        return { reference, since, state: kind, ...(ending === undefined ? {} : { ending }), risk, places };
      }),
      holders,
    };
  });
  return `${JSON.stringify({ schema: "mcp-secrets/rotate-status/1", secrets }, undefined, 2)}\n`;
}

function lastJson(last: NonNullable<Standing["status"]["last"]>) {
  const { id, at, result, reason, version, failures, retryAt } = last;
  return {
    id,
    at: timeOf(at),
    result,
    ...(reason === undefined ? {} : { reason }),
    ...(version === undefined ? {} : { version }),
    ...(failures === undefined ? {} : { failures }),
    ...(retryAt === undefined ? {} : { retryAt: timeOf(retryAt) }),
  };
}

function show({ terminal, now }: Context, rows: readonly StatusRow[]): void {
  if (rows.length === 0) {
    terminal.out("nothing is set up for rotation, and nothing is known to have been in plaintext\n");
    terminal.err("[mcp-secrets] hint: docs/rotation.md has the settings\n");
    return;
  }
  const head = ["REFERENCE", "TARGET", "STATE", "AGE", "NEXT", "LAST", "OLD VALUE HELD BY"];
  terminal.out(
    formatTable(
      head,
      rows.map((row) => cellsOf(row, now())),
    ),
  );
  for (const hint of new Set(rows.flatMap((row) => hintsFor(row, now()))))
    terminal.err(`[mcp-secrets] hint: ${printable(hint)}\n`);
}

function cellsOf({ standing, state, next, exposed, holders }: StatusRow, now: number): string[] {
  const { secret, madeAt } = standing;
  const last = lastOf(standing, now);
  const [worst] = exposed;
  return [
    wholeName(secret.ref),
    secret.target,
    state === "exposed" && worst !== undefined ? `exposed ${riskText(worst)}` : state,
    madeAt === undefined ? "" : ageOf(madeAt, now),
    next === undefined ? "" : next <= now ? "now" : `in ${formatDuration(next - now)}`,
    last === undefined ? "" : `${last.what} ${formatDuration(now - last.at)} ago`,
    holders.join(" "),
  ];
}

function ageOf(madeAt: number, now: number): string {
  return madeAt > now + CLOCK_TOLERANCE ? `dated in ${formatDuration(madeAt - now)}` : formatDuration(now - madeAt);
}

function hintsFor({ standing, state, exposed, holders }: StatusRow, now: number): readonly string[] {
  const { secret, status, error } = standing;
  const name = wholeName(secret.ref);
  const hints = holders.map((entry) => `restart ${entry}: it holds an old value of ${name}`);
  if (error?.hint !== undefined) hints.push(error.hint);
  if (status.problem !== undefined) hints.push(stuckHint(name, status.problem.check, status.phase === "damaged"));
  const last = lastOf(standing, now);
  if (last?.isGood === false && status.problem === undefined && error === undefined) {
    hints.push(`mcp-secrets rotate ${name} tries again; the last time: ${last.reason ?? last.what}`);
  }
  if (state === "exposed") hints.push("mcp-secrets rotate --exposed");
  if (state === "due") hints.push(secret.target === HUMAN ? `mcp-secrets rotate ${name}` : "mcp-secrets rotate --due");
  if (isPostdated(standing, now)) hints.push(postdatedHint(name));
  const isByHand = exposed.some((one) => one.state === "replaced" && one.ending === undefined);
  if (waitsForPerson(standing) || isByHand) hints.push(retireHint(name));
  return hints;
}
