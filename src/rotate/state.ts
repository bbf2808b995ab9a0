import type { Owner } from "../core/owner.ts";
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

/** What the journal keeps of a rotation, without values. Times are milliseconds since the epoch. */
export interface RotationState {
  readonly phase: Phase;
  /** Fixed for the rotation; of the last one while idle. */
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
  /** The version that promotion made, and when. */
  readonly promoted?: number;
  readonly promotedAt?: number;
  /** When the old value is retired at the latest. */
  readonly until?: number;
  /** Which values logins were refused for by an earlier run, which may not try more of them at once. */
  readonly refused?: readonly ("candidate" | "current" | "previous")[];
  /** Why it rolls back. */
  readonly failure?: Failure;
  readonly stuck?: { readonly reason: string; readonly check: string };
  readonly last?: LastRotation;
}
