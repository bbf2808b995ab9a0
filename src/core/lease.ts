/**
 * When to renew, replace or give up a credential that ends. Times are milliseconds; `chance` is a number in [0, 1), so
 * that a crowd of launches does not ask at the same instant.
 *
 * The figures are those of HashiCorp's own clients: renewal after `LifetimeWatcher` of the Vault API (2/3 of what
 * remains, plus a third of a grace of 10 to 20 %), fetching again after consul-template (0.90 ± 0.05 of the life),
 * back-off 10 s doubling to 5 min.
 */

/** What decides about a lease. `duration` is what the issuer gave when it was made: what a renewal asks for again. */
export interface Term {
  readonly expiresAt: number;
  readonly duration: number;
  readonly renewable: boolean;
}

export type Step =
  /** Ask the issuer for more time. */
  | { readonly type: "renew"; readonly at: number }
  /** Take a new one: this one cannot be renewed, or no longer grows. */
  | { readonly type: "replace"; readonly at: number };

const FIRST_BACKOFF = 10_000;
const LAST_BACKOFF = 5 * 60_000;
/** During an outage no launch asks more often. */
const LEAST_PAUSE = 1_000;

/**
 * The next thing to do for a lease and when. `failures` counts the tries that failed since the last that did not.
 */
export function nextStep(term: Term, now: number, failures: number, chance: number): Step {
  const left = Math.max(0, term.expiresAt - now);
  const type = term.renewable ? "renew" : "replace";
  if (failures > 0) return { type, at: now + pauseAfter(failures, left, chance) };
  return { type, at: now + (term.renewable ? renewAfter(left, chance) : replaceAfter(left, chance)) };
}

/** How long to wait before the renewal of a lease with `left` to live. Always less than `left`. */
export function renewAfter(left: number, chance: number): number {
  const grace = left * (0.1 + 0.1 * chance);
  return Math.floor((left * 2) / 3 + grace / 3);
}

/** How long to wait before a lease that cannot be renewed is fetched again. Always less than `left`. */
export function replaceAfter(left: number, chance: number): number {
  return Math.floor(left * (0.85 + 0.1 * chance));
}

/**
 * How long to wait after the given number of failures in a row: 10 s doubling to 5 min, less up to a quarter by chance.
 * A short lease would be dead by then, so that it waits a third of what is left at most; never less than a second.
 */
export function pauseAfter(failures: number, left: number, chance: number): number {
  const doubled = Math.min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** Math.min(failures - 1, 10));
  const pause = Math.min(doubled * (1 - chance / 4), left > 0 ? left / 3 : doubled);
  return Math.max(LEAST_PAUSE, Math.floor(pause));
}

/**
 * True where a renewal gave less than was asked for, beyond the second that the issuer rounds away: the maximum TTL is
 * near, and no renewal will move the end any more.
 */
export function stoppedGrowing(asked: number, granted: number): boolean {
  return granted < asked - 1_000;
}
