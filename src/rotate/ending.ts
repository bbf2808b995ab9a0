import {
  type Facts,
  type Seen,
  type Step,
  afterFailure,
  giveUp,
  later,
  login,
  logsIn,
  move,
  phase,
  unexpected,
} from "./step.ts";

/** The phases after the promotion, and the way back. */

const toRetiring = (_: Seen, { drained }: Facts): Step => move(drained ? "retiring" : "draining");

export const promoted = phase({ entered: toRetiring, resumed: toRetiring });

const wait = (_: Seen, { drained }: Facts): Step =>
  drained ? move("retiring") : { do: "end", ending: { type: "draining" } };

export const draining = phase({ entered: wait, resumed: wait });

const ROTATED: Step = { do: "finish", result: "rotated", ending: { type: "rotated" } };

export const retiring = phase({
  entered: retire,
  resumed: retire,
  done: (seen, facts, state) => (seen.what === "retired" ? ROTATED : unexpected(seen, facts, state)),
  failed: (seen) => afterFailure(seen),
  inUse: () => IN_USE,
  tested: ({ verdict }) => {
    if (verdict.type === "unreachable") return later(verdict);
    return logsIn(verdict) ? later({ reason: "the old value may still work: it is to be ended by hand" }) : ROTATED;
  },
});

/** Somebody has stored it again; what works is not ended. */
const IN_USE = giveUp(
  "the value that was to be ended is the one that is stored now",
  "see which value is to stay, and store that with mcp-secrets set",
);

/** Whoever made the new value by hand ends the old one by hand: all that can be done here is to look. */
function retire(_: Seen, facts: Facts): Step {
  return facts.kind === "human" ? login("current", facts) : { do: "retire", value: "current" };
}

const ROLLED_BACK: Step = { do: "finish", result: "rolledBack", ending: { type: "rolledBack" } };

/** Back to the current value: in force again, seen to be, and only then is the candidate ended. */
export const rollback = phase({
  entered: goBack,
  resumed: goBack,
  done: ({ what }, facts) => (what === "set" ? login("current", facts) : ROLLED_BACK),
  failed: ({ what, how, words }, facts) => {
    if (how !== "refused") return later(words);
    // Not let in: what is valid now tells. A candidate that we may not end is at least nowhere in use.
    return what === "set" ? login("current", facts) : ROLLED_BACK;
  },
  inUse: () => IN_USE,
  tested: ({ verdict }, { saidNo }) => {
    if (verdict.type === "unreachable") return later(verdict);
    if (logsIn(verdict)) return { do: "retire", value: "candidate" };
    return giveUp(
      `the new value came to nothing, and the old one could not be put back${saidNo === undefined ? "" : `: ${saidNo.reason}`}`,
      "set a password at the target, and store it with mcp-secrets set",
    );
  },
});

function goBack(_: Seen, facts: Facts): Step {
  if (facts.kind === "set") return { do: "putBack" };
  return facts.kind === "mint" && facts.class === "O" ? { do: "discard", last: true } : ROLLED_BACK;
}
