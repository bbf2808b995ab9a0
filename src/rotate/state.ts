import type { Owner } from "../core/owner.ts";
import type { Fields } from "../core/provider.ts";
import type { Failure, LastRotation } from "./outcome.ts";

/** Where a rotation stands. `minting`, `setting` and `retiring` are intents: written before the effect. */
export type Phase = (typeof PHASES)[number];

export const PHASES = [
  "idle",
  "claimed",
  "minting",
  "pending",
  "setting",
  "set",
  "tested",
  "promoted",
  "draining",
  "retiring",
  "rollback",
  "stuck",
] as const;

/** The values that a login may be tried with. */
export type Held = "candidate" | "current" | "previous";

/** What the journal keeps of a rotation, without values. Times are milliseconds since the epoch. */
export interface RotationState {
  readonly phase: Phase;
  /** `[a-z0-9]{26}`, fixed for the rotation; of the last one while idle. */
  readonly id: string;
  readonly target: string;
  readonly startedAt: number;
  readonly slot?: string;
  /** Absent where a run has let go of it: the next one may go on at once. */
  readonly owner?: Owner;
  /** When others may take over. */
  readonly deadline: number;
  /** The version of the secret that was current when it was claimed: what promotion compares with. */
  readonly base: number;
  /** How often a value was asked for (class O): each try has a name of its own at the issuer. */
  readonly attempt: number;
  /** What the tries up to this one made was taken away. */
  readonly cleared?: number;
  /** While minting: the last call of the issuer, which may go on after a run that was killed. */
  readonly call?: Call;
  /** The version that promotion made, and when. */
  readonly promoted?: number;
  readonly promotedAt?: number;
  /** When the old value is retired at the latest. */
  readonly until?: number;
  /** Which values an earlier run was refused with, which may not try more of them at once. */
  readonly refused?: readonly Held[];
  /** Why it rolls back. */
  readonly failure?: Failure;
  readonly stuck?: Trouble;
  /** Stuck because the secret is rotated in another store now: where, as a reference without a field. */
  readonly movedTo?: string;
  /** When the value of a version was made, where the store only knows when it was moved here. */
  readonly made?: { readonly version: number; readonly at: number };
  readonly last?: LastRotation;
}

/** A call that makes something. What it has done is judged when it is over. */
export interface Call {
  readonly attempt: number;
  /** By then it is over, or nobody waits for it any more. */
  readonly until: number;
  /** The program that makes it, where it is not this one. */
  readonly program?: Owner;
}

/** What happened, and what a person must look at. */
export interface Trouble {
  readonly reason: string;
  readonly check: string;
}

/** The values that the journal keeps: what the store's own versions may drop is not lost. */
export interface HeldValues {
  readonly candidate?: Fields;
  /** What was current when the rotation was claimed. */
  readonly current?: Fields;
  /** What was current before that. */
  readonly previous?: Fields;
  /** The last candidate that came to nothing. */
  readonly quarantine?: Fields;
}

const HEX = 24;

/** A new id from 24 hexadecimal digits. */
export function rotationId(random: string): string {
  return `00${random.slice(0, HEX).padEnd(HEX, "0")}`;
}

/** Tries have two digits to base 36. */
export const MOST_ATTEMPTS = 36 * 36 - 1;

/** The name of one try at the issuer: no two tries of all rotations have the same, whoever makes them. */
export function attemptId(id: string, attempt: number): string {
  return `${attempt.toString(36).padStart(2, "0")}${id.slice(2)}`;
}
