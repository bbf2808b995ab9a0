import type { Failure } from "./outcome.ts";
import type { Held, Phase, RotationState, Trouble } from "./state.ts";
import type { RotationClass, Verdict } from "./target.ts";

/** The words of the state machine: what is known, what was seen last, what is done next. */

/** What is known beside the journal. */
export interface Facts {
  readonly kind: "set" | "mint" | "human";
  readonly class: RotationClass;
  /** The old value must not be presented after a mint. */
  readonly reuseRevokes: boolean;
  /** What to tell a person where a mint of class X was lost. */
  readonly whenLost: string | undefined;
  readonly hasPrevious: boolean;
  /** Nobody holds the old value any more, or the grace has passed. */
  readonly drained: boolean;
  /** Values that logins were refused with in this run. */
  readonly refused: readonly Tried[];
  /** How often this run has asked for a new value. */
  readonly mints: number;
  /** What the target said when it did not let us in this run. */
  readonly saidNo: Words | undefined;
}

export interface Words {
  readonly reason: string;
  readonly hint?: string | undefined;
}

/** What was seen last. */
export type Seen =
  /** This run has just written the phase; or it found it, written by a run that is gone. */
  | { readonly type: "entered" }
  | { readonly type: "resumed" }
  /** The step before was carried out. */
  | { readonly type: "done"; readonly what: Effect }
  | {
      readonly type: "failed";
      readonly what: Effect;
      readonly how: "unreachable" | "lost" | "refused";
      readonly words: Words;
    }
  /** The answer to a mint is no new value: it is the current one, or lacks fields that the secret has. */
  | { readonly type: "unfit"; readonly how: "same" }
  | { readonly type: "unfit"; readonly how: "incomplete"; readonly missing: readonly string[] }
  /** What was to be ended is what the secret holds now. */
  | { readonly type: "inUse" }
  | { readonly type: "tested"; readonly value: Tried; readonly verdict: Verdict }
  /** The secret was replaced by the candidate; or what it holds now. */
  | { readonly type: "promoted"; readonly version: number }
  | { readonly type: "secret"; readonly is: "base" | "candidate" | "other" | "gone"; readonly version: number }
  | { readonly type: "spill"; readonly found: boolean };

type Effect = "proposed" | "spillOpened" | "waited" | "minted" | "discarded" | "set" | "retired";

/** `found`: what the secret holds that is neither what it held when it was claimed nor the candidate. */
export type Tried = Held | "found";

export type Step =
  /**
   * Write the journal. `adopt`: what was found in the secret counts as what was current when it began; of it only the
   * version, or the value too.
   */
  | {
      readonly do: "move";
      readonly to: Phase;
      readonly with?: Partial<RotationState>;
      readonly adopt?: "version" | "value";
    }
  /** Make a candidate that nobody knows yet, or have a person give it. */
  | { readonly do: "propose" }
  | { readonly do: "openSpill" }
  | { readonly do: "readSpill" }
  | { readonly do: "mint" }
  /** Until the call that was made last is over, whoever made it. */
  | { readonly do: "waitOut" }
  /** Take away what earlier tries made at the issuer; with `last`, what this one made too. */
  | { readonly do: "discard"; readonly last: boolean }
  /** Make the candidate valid, logged in with the value named, where the target logs in with one. */
  | { readonly do: "set"; readonly as: "current" | "previous" }
  /** Make the current value valid again. */
  | { readonly do: "putBack" }
  | { readonly do: "test"; readonly value: Tried }
  | { readonly do: "retire"; readonly value: "current" | "candidate" }
  | { readonly do: "look" }
  | { readonly do: "promote" }
  /** Write that nothing is under way any more, and end. */
  | { readonly do: "finish"; readonly result: Result; readonly ending: Ending }
  | { readonly do: "end"; readonly ending: Ending };

type Result = "rotated" | "rolledBack" | "refused" | "notApplied";

/** How a run ends. */
export type Ending =
  | { readonly type: "rotated" | "draining" | "rolledBack" }
  | { readonly type: "later" | "adminRefused"; readonly words: Words }
  | ({ readonly type: "stuck" } & Trouble);

export type PhaseStep = (state: RotationState, seen: Seen, facts: Facts) => Step;

type SeenAs<T extends Seen["type"]> = Extract<Seen, { type: T }>;
type Answer<T extends Seen["type"]> = (seen: SeenAs<T>, facts: Facts, state: RotationState) => Step;
type Answers = { readonly [T in Seen["type"]]?: Answer<T> };

export type Failed = SeenAs<"failed">;
export type Tested = SeenAs<"tested">;

/** A phase by what it answers to each thing seen. */
export function phase(answers: Answers): PhaseStep {
  return (state, seen, facts) => {
    switch (seen.type) {
      case "entered":
        return (answers.entered ?? unexpected)(seen, facts, state);
      case "resumed":
        return (answers.resumed ?? unexpected)(seen, facts, state);
      case "done":
        return (answers.done ?? unexpected)(seen, facts, state);
      case "failed":
        return (answers.failed ?? unexpected)(seen, facts, state);
      case "tested":
        return (answers.tested ?? unexpected)(seen, facts, state);
      case "promoted":
        return (answers.promoted ?? unexpected)(seen, facts, state);
      case "secret":
        return (answers.secret ?? unexpected)(seen, facts, state);
      case "unfit":
        return (answers.unfit ?? unexpected)(seen, facts, state);
      case "inUse":
        return (answers.inUse ?? unexpected)(seen, facts, state);
      case "spill":
        return (answers.spill ?? unexpected)(seen, facts, state);
    }
  };
}

/** What cannot be seen in a phase is a mistake of ours, and no reason to guess. */
export function unexpected(seen: Seen, _facts: Facts, state: RotationState): Step {
  const what = seen.type === "done" || seen.type === "failed" ? `${seen.type} ${seen.what}` : seen.type;
  return giveUp(
    `a rotation that is ${state.phase} met ${what}, which cannot be`,
    "report it, and see which of the values in the journal logs in",
  );
}

export function move(to: Phase, patch?: Partial<RotationState>): Step {
  return { do: "move", to, ...(patch && { with: patch }) };
}

/** Some systems lock an account after a few wrong logins. */
const MOST_REFUSED = 2;

export function mayTry({ refused }: Facts): boolean {
  return refused.length < MOST_REFUSED;
}

/** A login, where this run has not been refused too often. */
export function login(value: Tried, facts: Facts): Step {
  return mayTry(facts) ? { do: "test", value } : later({ reason: "as many logins were refused as one run may try" });
}

export function later(words: Words): Step {
  return { do: "end", ending: { type: "later", words } };
}

export function adminRefused(words: Words): Step {
  return { do: "end", ending: { type: "adminRefused", words } };
}

/** Nothing happens by itself any more, and every value is kept. */
export function giveUp(reason: string, check: string): Step {
  return move("stuck", { stuck: { reason, check } });
}

/** Where an effect did not happen, as far as anybody knows: the phase stays, and the next run goes on from it. */
export function afterFailure({ how, words }: Failed): Step {
  return how === "refused" ? adminRefused(words) : later(words);
}

export function rollBack(failure: Failure): Step {
  return move("rollback", { failure });
}

/** It logs in; what it may do is another matter. */
export function logsIn(verdict: Verdict): boolean {
  return verdict.type === "valid" || verdict.type === "lacking";
}
