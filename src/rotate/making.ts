import { type Held, MOST_ATTEMPTS, type RotationState } from "./state.ts";
import {
  type Facts,
  type Failed,
  type PhaseStep,
  type Seen,
  type Step,
  type Tested,
  type Tried,
  adminRefused,
  afterFailure,
  giveUp,
  later,
  login,
  logsIn,
  mayTry,
  move,
  phase,
  rollBack,
  unexpected,
} from "./step.ts";
import { proving } from "./proving.ts";

/** The phases from the claim to a candidate that is valid at the target. */

export const claimed = phase({
  entered: begin,
  // Nothing was made yet, so that a claim which is found is as good as a new one.
  resumed: begin,
  done: (seen, facts, state) => {
    if (seen.what === "spillOpened") return move("minting", { attempt: 1 });
    return seen.what === "proposed" ? move("pending") : unexpected(seen, facts, state);
  },
  failed: ({ words }) => ({ do: "finish", result: "notApplied", ending: { type: "later", words } }),
});

function begin(_: Seen, facts: Facts): Step {
  if (facts.kind !== "mint") return { do: "propose" };
  return facts.class === "X" ? { do: "openSpill" } : move("minting", { attempt: 1 });
}

export const minting: PhaseStep = (state, seen, facts) =>
  (facts.class === "X" ? mintingOnce : mintingAgain)(state, seen, facts);

/** Old and new overlap: what an answer that was lost has made is taken away, and another one is asked for. */
const mintingAgain = phase({
  // What is still on its way cannot be taken away yet.
  entered: (_, __, { attempt }) => ({ do: attempt > 1 ? "waitOut" : "mint" }),
  resumed: (_, __, state) => nextAttempt(state),
  done: (seen, facts, state) => {
    if (seen.what === "waited") return { do: "discard", last: false };
    if (seen.what === "discarded") return { do: "mint" };
    return seen.what === "minted" ? move("pending") : unexpected(seen, facts, state);
  },
  failed: (seen, facts, state) => {
    if (seen.what === "discarded" || seen.what === "waited") return afterFailure(seen);
    if (seen.how === "lost" && facts.mints === 1) return nextAttempt(state);
    return seen.how === "refused" ? refused(seen) : later(seen.words);
  },
  // Of the current one nothing is ended, so that nothing is taken away by its id either.
  unfit: (seen) =>
    seen.how === "same" ? refused({ words: SAME }) : rollBack({ type: seen.how, missing: seen.missing }),
});

const SAME = { reason: "the issuer gave the value that is current: nothing new was made" };

/**
 * A name of its own for each try, written first: a run that was paused and took itself for the owner takes away only
 * what came before it, and never what came after.
 */
function nextAttempt({ attempt }: RotationState): Step {
  if (attempt < MOST_ATTEMPTS) return move("minting", { attempt: attempt + 1 });
  return giveUp("the issuer's answer was lost too often", "delete what bears the id of this rotation at the issuer");
}

function refused({ words }: Pick<Failed, "words">): Step {
  return { do: "finish", result: "refused", ending: { type: "adminRefused", words } };
}

/** The call ends the old value at once: it is made once, whatever happens. */
const mintingOnce = phase({
  entered: () => ({ do: "mint" }),
  resumed: () => ({ do: "readSpill" }),
  spill: ({ found }, facts) => (found ? move("pending") : answerLost(facts)),
  done: (seen, facts, state) => {
    if (seen.what === "waited") return askOld(facts);
    return seen.what === "minted" ? move("pending") : unexpected(seen, facts, state);
  },
  failed: (seen, facts) => {
    if (seen.what === "waited") return afterFailure(seen);
    if (seen.how === "lost") return answerLost(facts);
    return seen.how === "refused" ? refused(seen) : notApplied(seen.words);
  },
  // An answer came, so that the call is over.
  unfit: (seen, facts) => (seen.how === "incomplete" ? incomplete(seen.missing, facts) : sameAgain(facts)),
  tested: ({ verdict }, facts) => {
    if (verdict.type === "unreachable") return later(verdict);
    if (verdict.type === "rejected") return lost(facts);
    return notApplied({ reason: "the issuer made no new value: the old one still works" });
  },
});

function answerLost(facts: Facts): Step {
  return facts.reuseRevokes ? lost(facts) : { do: "waitOut" };
}

/** Once the call is over, the old value tells whether it was carried out, where it may be asked. */
function askOld(facts: Facts): Step {
  return facts.reuseRevokes ? lost(facts) : login("current", facts);
}

function sameAgain(facts: Facts): Step {
  return facts.reuseRevokes ? refused({ words: SAME }) : login("current", facts);
}

/** It may be all that works: it is kept. */
function incomplete(missing: readonly string[], { whenLost }: Facts): Step {
  return giveUp(
    `the new value that the issuer made lacks fields that the secret has: ${missing.join(", ")}`,
    whenLost ?? "complete the candidate that is in the journal, and store it with mcp-secrets set",
  );
}

function notApplied(words: Failed["words"]): Step {
  return { do: "finish", result: "notApplied", ending: { type: "later", words } };
}

function lost(facts: Facts): Step {
  return giveUp(
    "the issuer was asked for a new value, which ends the old one, and its answer was lost",
    facts.whenLost ?? "make a new value at the issuer, and store it with mcp-secrets set",
  );
}

export const pending: PhaseStep = (state, seen, facts) =>
  (facts.kind === "set" ? pendingToSet : proving)(state, seen, facts);

const pendingToSet = phase({
  entered: () => move("setting"),
  // Time has passed: what somebody stored meanwhile is what counts, and nothing was done yet.
  resumed: () => ({ do: "look" }),
  secret: ({ is }) =>
    is === "base"
      ? move("setting")
      : notApplied({ reason: "the secret was changed by somebody else before anything was done" }),
});

export const setting = phase({
  // Written once more to keep what was refused: as many wrong logins as one run may try.
  entered: (_, __, state) => (state.refused === undefined ? { do: "set", as: "current" } : later(REFUSED_TWICE)),
  resumed: (_, facts, state) => probe(state, facts),
  done: (seen, facts, state) => (seen.what === "set" ? move("set") : unexpected(seen, facts, state)),
  // Refused, and perhaps half done: what is valid now tells.
  failed: (seen, facts, state) => (seen.how === "refused" ? probe(state, facts) : later(seen.words)),
  tested: (seen, facts, state) => {
    if (seen.verdict.type === "unreachable") return later(seen.verdict);
    return logsIn(seen.verdict) ? probedValid(seen, facts) : probe(state, facts);
  },
});

const REFUSED_TWICE = {
  reason: "the target takes neither the new value nor the current one; the next run tries what was valid before",
};

/** The order in which values are tried to learn what is valid. */
const PROBES: readonly Held[] = ["candidate", "current", "previous"];

function probe(state: RotationState, facts: Facts): Step {
  const known = new Set<Tried>([...(state.refused ?? []), ...facts.refused]);
  const next = PROBES.find((value) => !known.has(value) && (value !== "previous" || facts.hasPrevious));
  if (next === undefined) {
    return giveUp(
      "the target takes neither the new value nor the one in the store",
      "set a password there, and store it with mcp-secrets set",
    );
  }
  return mayTry(facts) ? login(next, facts) : move("setting", { refused: PROBES.filter((value) => known.has(value)) });
}

function probedValid({ value }: Tested, { saidNo }: Facts): Step {
  if (value === "candidate") return move("set");
  if (saidNo === undefined) return { do: "set", as: value === "previous" ? "previous" : "current" };
  if (value === "previous") return adminRefused(saidNo);
  return { do: "finish", result: "refused", ending: { type: "adminRefused", words: saidNo } };
}
