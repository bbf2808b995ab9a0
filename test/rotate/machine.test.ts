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
const EFFECTS = ["proposed", "spillOpened", "minted", "discarded", "set", "retired"] as const;
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

function* everything(): Generator<{ state: RotationState; seen: Seen; facts: Facts; step: Step }> {
  for (const phase of PHASES)
    for (const seen of SEEN)
      for (const [kind, type] of KINDS)
        for (const refused of REFUSED)
          for (const flag of BOTH)
            for (const drained of BOTH) {
              const state = { ...STATE, phase };
              const facts: Facts = {
                kind,
                class: type,
                reuseRevokes: flag,
                whenLost: undefined,
                hasPrevious: flag,
                drained,
                refused,
                mints: flag ? 1 : 2,
                saidNo: flag ? WORDS : undefined,
              };
              yield { state, seen, facts, step: nextStep(state, seen, facts) };
            }
}

/** The one phase in which an effect may be a step. */
const ONLY_IN: Readonly<Partial<Record<Step["do"], readonly string[]>>> = {
  propose: ["claimed"],
  openSpill: ["claimed"],
  mint: ["minting"],
  readSpill: ["minting"],
  discard: ["minting", "rollback"],
  set: ["setting"],
  promote: ["tested"],
  putBack: ["rollback"],
  retire: ["retiring", "rollback"],
};

describe("the machine", () => {
  test("has a step for everything, and each effect only in the phase that was written for it", () => {
    let seen = 0;
    const wrong: string[] = [];
    for (const { state, step } of everything()) {
      seen += 1;
      if (ONLY_IN[step.do]?.includes(state.phase) === false) wrong.push(`${step.do} while ${state.phase}`);
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(40_000);
  });

  test("promotes only what was tested, and retires the old only when the new one is promoted and nobody waits", () => {
    for (const { state, seen, facts, step } of everything()) {
      if (step.do === "move" && step.to === "tested" && state.phase !== "tested") {
        expect(seen).toMatchObject({
          type: "tested",
          value: expect.stringMatching(/candidate|previous|found/),
          verdict: { type: "valid" },
        });
      }
      if (step.do === "move" && step.to === "promoted") expect(state.phase).toBe("tested");
      if (step.do === "move" && step.to === "retiring") {
        expect(["promoted", "draining"]).toContain(state.phase);
        expect(facts.drained).toBe(true);
      }
      if (step.do === "retire" && step.value === "current") expect(state.phase).toBe("retiring");
    }
  });

  test("never takes unreachable for an answer", () => {
    for (const { state, seen, step } of everything()) {
      if (seen.type !== "tested" || seen.verdict.type !== "unreachable") continue;
      const isKnown = ["minting", "pending", "setting", "set", "tested", "retiring", "rollback"].includes(state.phase);
      if (!isKnown) continue;
      const isUnexpected = step.do === "move" && step.to === "stuck" && step.with?.stuck?.reason.includes("cannot be");
      if (isUnexpected !== true) expect(step).toMatchObject({ do: "end", ending: { type: "later" } });
    }
  });

  test("asks an issuer that ends the old value once, and never shows an old value that must not be shown again", () => {
    for (const { state, seen, facts, step } of everything()) {
      if (facts.class !== "X" || facts.kind !== "mint") continue;
      if (step.do === "mint") expect(seen.type).toBe("entered");
      // A value that is minted is never set.
      const isMinting = state.phase === "minting" || state.phase === "pending";
      if (facts.reuseRevokes && isMinting) expect(step).not.toEqual({ do: "test", value: "current" });
    }
  });

  test("tries no third wrong login in a run", () => {
    const third = [...everything()].filter(({ facts, step }) => facts.refused.length >= 2 && step.do === "test");
    expect(third).toEqual([]);
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
