import type { Owner } from "../core/owner.ts";
import { EXIT } from "../errors.ts";
import type { Phase } from "./state.ts";

/** How one call of `rotateSecret` ended. Nothing in it is a value. */
export type Outcome =
  /** The new value is current, and the old one is retired. `version` is the new one's, where the store tells. */
  | { readonly type: "rotated"; readonly id: string; readonly version?: number }
  /** The new value is current; the old one stays valid until nobody holds it, at most until `until`. */
  | {
      readonly type: "draining";
      readonly id: string;
      readonly version: number;
      /** Milliseconds since the epoch. */
      readonly until: number;
      /** Who still holds the old one; undefined where nobody here can tell. */
      readonly holders: readonly string[] | undefined;
    }
  /** Another process, here or elsewhere, works on it; until `until` at least. */
  | { readonly type: "busy"; readonly host: string; readonly until: number }
  /** The slot was done before. */
  | { readonly type: "notDue" }
  /** Nothing was lost; the next run goes on. `oldValidSince` where the new value is current and the old one lives on. */
  | { readonly type: "later"; readonly reason: string; readonly hint?: string; readonly oldValidSince?: number }
  /** The new value was not taken; the old one is current and valid. The new one is quarantined in the journal. */
  | { readonly type: "rolledBack"; readonly id: string; readonly why: Failure }
  /** Nothing more happens by itself. `check` is what a person must look at. */
  | { readonly type: "stuck"; readonly reason: string; readonly check: string }
  /**
   * The target does not let us: its administrator's credential is refused, or may not. Nothing has changed there, but for
   * what `oldValidSince` says as above.
   */
  | { readonly type: "adminRefused"; readonly reason: string; readonly hint?: string; readonly oldValidSince?: number };

/** Why a candidate was not promoted. */
export type Failure =
  | { readonly type: "rejected" }
  | { readonly type: "lacking"; readonly missing: readonly string[] }
  /** Fields that the secret has. */
  | { readonly type: "incomplete"; readonly missing: readonly string[] }
  /** Somebody stored another value meanwhile, and that one works. */
  | { readonly type: "superseded" };

/** What `rotate status` shows of one secret. Read without changing anything. */
export interface RotationStatus {
  readonly phase: Phase | "none" | "damaged";
  /** The rotation under way, or the last one. */
  readonly id?: string;
  readonly target?: string;
  /** When it began, in milliseconds since the epoch. */
  readonly startedAt?: number;
  /** Of the schedule; absent where it was begun by hand. */
  readonly slot?: string;
  /** Who works on it, and until when others keep out. */
  readonly owner?: Owner;
  readonly deadline?: number;
  /** When its new value was promoted. */
  readonly promotedAt?: number;
  /** While draining: when the old value is retired at the latest. */
  readonly until?: number;
  /** For stuck and damaged: what happened, and what a person must look at. */
  readonly problem?: { readonly reason: string; readonly check: string };
  readonly last?: LastRotation;
  /** When the value of a version was made, where the store only knows when it was moved there. */
  readonly made?: { readonly version: number; readonly at: number };
}

/** The last rotation that came to an end. */
export interface LastRotation {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly result: "rotated" | "rolledBack" | "refused" | "notApplied" | "settled";
  /** In words, without values; for what was not rotated. */
  readonly reason?: string;
  readonly slot?: string;
  /** The version that it made current. */
  readonly version?: number;
  /** How many came to nothing, one after the other, this one among them; and when automation tries again. */
  readonly failures?: number;
  readonly retryAt?: number;
}

/** Milliseconds by which the clocks of two machines may differ. What is further ahead is from a clock that was wrong. */
export const CLOCK_TOLERANCE = 3_600_000;

/** When automation tries again, in milliseconds since the epoch; 0 where nothing keeps it. */
export function retryTime(last: LastRotation | undefined, now: number): number {
  return last?.retryAt === undefined || last.at > now + CLOCK_TOLERANCE ? 0 : last.retryAt;
}

/** The exit code for one secret. */
export function exitOf(outcome: Outcome): number {
  switch (outcome.type) {
    case "rotated":
    case "draining":
    case "busy":
    case "notDue":
      return EXIT.ok;
    case "later":
      return EXIT.tryLater;
    case "rolledBack":
      return EXIT.findings;
    case "stuck":
      return EXIT.stuck;
    case "adminRefused":
      return EXIT.refused;
  }
}
