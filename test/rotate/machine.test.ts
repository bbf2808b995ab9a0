import { describe, expect, test } from "vitest";
import { nextStep } from "../../src/rotate/machine.ts";
import { type Held, PHASES, type RotationState } from "../../src/rotate/state.ts";
import type { Facts, Seen, Step } from "../../src/rotate/step.ts";

/** Every phase with everything that can be seen in it and every combination of what is known. */

const STATE: RotationState = {
  phase: "idle",
  id: "00000000000000000000000000",
  target: "t",
  startedAt: 1,
  deadline: 1,
  base: 1,
  attempt: 1,
};

const WORDS = { reason: "because" };
const EFFECTS = ["proposed", "spillOpened", "waited", "minted", "discarded", "set", "retired"] as const;
const VALUES = ["candidate", "current", "previous", "found"] as const;

const SEEN: readonly Seen[] = [
  { type: "entered" },
  { type: "resumed" },
  { type: "promoted", version: 2 },
  ...EFFECTS.map((what): Seen => ({ type: "done", what })),
  ...EFFECTS.flatMap((what) =>
    (["unreachable", "lost", "refused"] as const).map((how): Seen => ({ type: "failed", what, how, words: WORDS })),
  ),
  ...VALUES.flatMap((value): Seen[] => [
    { type: "tested", value, verdict: { type: "valid" } },
    { type: "tested", value, verdict: { type: "rejected" } },
    { type: "tested", value, verdict: { type: "lacking", missing: ["x"] } },
    { type: "tested", value, verdict: { type: "unreachable", reason: "because" } },
  ]),
  ...(["base", "candidate", "other", "gone"] as const).map((is): Seen => ({ type: "secret", is, version: 2 })),
  { type: "unfit", how: "same" },
  { type: "unfit", how: "incomplete", missing: ["x"] },
  { type: "inUse" },
  { type: "spill", found: true },
  { type: "spill", found: false },
];

const KINDS = [
  ["set", "O"],
  ["set", "X"],
  ["mint", "O"],
  ["mint", "X"],
  ["human", "H"],
] as const;
const REFUSED: readonly (readonly Held[])[] = [
  [],
  ["candidate"],
  ["candidate", "current"],
  ["candidate", "current", "previous"],
];
const BOTH = [true, false] as const;

interface Case {
  readonly state: RotationState;
  readonly seen: Seen;
  readonly facts: Facts;
  readonly step: Step;
}

const FACTS: readonly Facts[] = KINDS.flatMap(([kind, type]) =>
  REFUSED.flatMap((refused) =>
    BOTH.flatMap((flag) =>
      BOTH.map((drained): Facts => ({
        kind,
        class: type,
        reuseRevokes: flag,
        whenLost: undefined,
        hasPrevious: flag,
        drained,
        refused,
        mints: flag ? 1 : 2,
        saidNo: flag ? WORDS : undefined,
      })),
    ),
  ),
);

const EVERYTHING: readonly Case[] = PHASES.flatMap((phase) => {
  const state = { ...STATE, phase };
  return SEEN.flatMap((seen) => FACTS.map((facts) => ({ state, seen, facts, step: nextStep(state, seen, facts) })));
});

/** What no run can meet, and what the machine makes of it. */
function isUnexpected({ step }: Case): boolean {
  return step.do === "move" && step.to === "stuck" && step.with?.stuck?.reason.includes("cannot be") === true;
}

/** The one phase in which an effect may be a step. */
const ONLY_IN: Readonly<Partial<Record<Step["do"], readonly string[]>>> = {
  propose: ["claimed"],
  openSpill: ["claimed"],
  mint: ["minting"],
  waitOut: ["minting"],
  readSpill: ["minting"],
  discard: ["minting", "rollback"],
  set: ["setting"],
  promote: ["tested"],
  putBack: ["rollback"],
  retire: ["retiring", "rollback"],
};

/** They only end, or wait. */
const PASSIVE: ReadonlySet<string> = new Set(["idle", "stuck"]);
const MINTED: ReadonlySet<string> = new Set(["minting", "pending"]);

describe("the machine", () => {
  test("has a step for everything, and each effect only in the phase that was written for it", () => {
    expect(EVERYTHING.length).toBeGreaterThan(40_000);
    const wrong = EVERYTHING.filter(({ state, step }) => ONLY_IN[step.do]?.includes(state.phase) === false);
    expect(wrong).toEqual([]);
  });

  test("promotes only what was tested, and retires the old only when the new one is promoted and nobody waits", () => {
    const moves = EVERYTHING.flatMap((each) => (each.step.do === "move" ? [{ ...each, to: each.step.to }] : []));
    const toTested = moves.filter(({ to, state }) => to === "tested" && state.phase !== "tested");
    const proved = toTested.filter(({ seen }) => seen.type === "tested" && seen.verdict.type === "valid");
    expect(proved).toEqual(toTested);
    expect(new Set(moves.filter(({ to }) => to === "promoted").map(({ state }) => state.phase))).toEqual(
      new Set(["tested"]),
    );
    const toRetiring = moves.filter(({ to }) => to === "retiring");
    expect(new Set(toRetiring.map(({ state }) => state.phase))).toEqual(new Set(["promoted", "draining"]));
    expect(toRetiring.filter(({ facts }) => !facts.drained)).toEqual([]);
    const ended = EVERYTHING.filter(({ step }) => step.do === "retire" && step.value === "current");
    expect(new Set(ended.map(({ state }) => state.phase))).toEqual(new Set(["retiring"]));
  });

  test("never takes unreachable for an answer", () => {
    const unanswered = EVERYTHING.filter(({ seen }) => seen.type === "tested" && seen.verdict.type === "unreachable");
    const taken = unanswered.filter((each) => !isUnexpected(each) && !PASSIVE.has(each.state.phase));
    expect(taken.length).toBeGreaterThan(1_000);
    expect(taken.filter(({ step }) => step.do !== "end" || step.ending.type !== "later")).toEqual([]);
  });

  test("asks an issuer that ends the old value once, and never shows an old value that must not be shown again", () => {
    const once = EVERYTHING.filter(({ facts }) => facts.class === "X" && facts.kind === "mint");
    expect(new Set(once.filter(({ step }) => step.do === "mint").map(({ seen }) => seen.type))).toEqual(
      new Set(["entered"]),
    );
    // A value that is minted is never set, nor put back.
    const shown = once.filter(
      ({ state, step }) => MINTED.has(state.phase) && step.do === "test" && step.value === "current",
    );
    expect(shown.filter(({ facts }) => facts.reuseRevokes)).toEqual([]);
  });

  test("judges a call whose answer nobody has only when it is over", () => {
    const minting = EVERYTHING.filter(({ state, facts }) => state.phase === "minting" && facts.kind === "mint");
    const judging = minting.filter(({ step }) => step.do === "test" || step.do === "discard");
    expect(judging.length).toBeGreaterThan(0);
    const answered = judging.filter(({ seen }) => seen.type === "unfit");
    const waited = judging.filter(({ seen }) => seen.type === "done" && seen.what === "waited");
    expect(waited.length + answered.length).toBe(judging.length);
  });

  test("tries no third wrong login in a run", () => {
    expect(EVERYTHING.filter(({ facts, step }) => facts.refused.length >= 2 && step.do === "test")).toEqual([]);
  });

  test("leaves nothing that it does not know to chance", () => {
    expect(nextStep({ ...STATE, phase: "setting" }, { type: "spill", found: true }, factsOf("set"))).toMatchObject({
      do: "move",
      to: "stuck",
      with: { stuck: { reason: expect.stringContaining("cannot be") } },
    });
  });
});

function factsOf(kind: Facts["kind"]): Facts {
  return {
    kind,
    class: "O",
    reuseRevokes: false,
    whenLost: undefined,
    hasPrevious: false,
    drained: false,
    refused: [],
    mints: 0,
    saidNo: undefined,
  };
}
