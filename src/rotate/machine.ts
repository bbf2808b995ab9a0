import { draining, promoted, retiring, rollback } from "./ending.ts";
import { claimed, minting, pending, setting } from "./making.ts";
import { proving, tested } from "./proving.ts";
import type { Phase, RotationState } from "./state.ts";
import type { Facts, PhaseStep, Seen, Step } from "./step.ts";

/**
 * The state machine of a rotation: from where it stands and what was seen last to what is done next. Pure; whoever
 * carries the steps out (`engine.ts`) decides nothing.
 *
 * What it keeps, whatever fails and wherever it is cut short: some value that works can always be read from the store;
 * nothing that works is ended before its successor was tested, promoted, and the grace has passed; unreachable is not
 * invalid; a rotation has one candidate; what is not known is stuck. An effect is only ever a step of a phase that was
 * written for it.
 */
export function nextStep(state: RotationState, seen: Seen, facts: Facts): Step {
  return PHASE_STEPS[state.phase](state, seen, facts);
}

const PHASE_STEPS: Readonly<Record<Phase, PhaseStep>> = {
  idle: () => ({ do: "end", ending: { type: "rotated" } }),
  claimed,
  minting,
  pending,
  setting,
  set: proving,
  tested,
  promoted,
  draining,
  retiring,
  rollback,
  stuck: ({ stuck = UNKNOWN }) => ({ do: "end", ending: { type: "stuck", ...stuck } }),
};

const UNKNOWN = { reason: "it is not known why", check: "see which of the values in the journal logs in" };
