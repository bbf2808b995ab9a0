import { EXIT } from "../errors.ts";
import { CLOCK_TOLERANCE } from "../rotate/outcome.ts";
import { isPast } from "./rotate-one.ts";
import type { Standing } from "./rotate-standing.ts";

/** What happened to a secret last, as far as its store and this machine know. */
export interface Last {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** In one word or two. */
  readonly what: string;
  readonly reason?: string;
  /** How often it came to nothing, one after the other. */
  readonly failures?: number;
  readonly isGood: boolean;
}

/**
 * The newest of: the last rotation that came to an end, as the journal has it; the promotion of one that is under way;
 * what the store's own engine did; and the last run of this machine, which may not have got so far as to any of these.
 */
export function lastOf(standing: Standing, now: number): Last | undefined {
  const known = [ended(standing), promoted(standing), byStore(standing)].flatMap((one) => one ?? []);
  const run = ran(standing);
  const isNews = run !== undefined && !known.some((one) => saysSame(one, run));
  // One from the future is from a clock that was wrong, and older than anything since.
  const rank = ({ at }: Last) => (at > now + CLOCK_TOLERANCE ? 0 : at);
  return [...known, ...(isNews ? [run] : [])].toSorted((a, b) => rank(b) - rank(a))[0];
}

/** Milliseconds in which a run ends after the last that it wrote. */
const MOMENT = 10_000;

/** What a run has written into the journal is told from there; of one that went well that is all there is to tell. */
function saysSame(known: Last, run: Last): boolean {
  return run.isGood || Math.abs(run.at - known.at) < MOMENT;
}

function ended({ status: { last } }: Standing): Last | undefined {
  if (last === undefined) return undefined;
  const { at, result, reason, failures } = last;
  const isGood = result === "rotated" || result === "settled";
  return {
    at,
    what: result,
    isGood,
    ...(reason !== undefined && { reason }),
    ...(failures !== undefined && { failures }),
  };
}

function promoted({ status: { phase, promotedAt } }: Standing): Last | undefined {
  if (promotedAt === undefined || !isPast(phase)) return undefined;
  return { at: promotedAt, what: "rotated", isGood: true };
}

function byStore({ secret, status, madeAt }: Standing): Last | undefined {
  if (secret.target !== "native" || status.phase !== "idle" || madeAt === undefined) return undefined;
  return { at: madeAt, what: "rotated", isGood: true };
}

function ran({ run }: Standing): Last | undefined {
  if (run === undefined) return undefined;
  const { at, outcome, exit, reason } = run;
  const isGood = exit === EXIT.ok;
  // What goes on without anybody is at its end when the new value is current.
  const what = isGood ? "rotated" : outcome;
  return { at: Date.parse(at), what, isGood, ...(!isGood && reason !== undefined && { reason }) };
}
