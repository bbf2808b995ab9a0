import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LONG } from "../helpers/cli.ts";
import { EVENTS, type Event, KINDS, type Kind, type Script, type Told, simulate } from "./simulation.ts";

/**
 * Worlds in which things go wrong: each call that leaves the process fails, is refused, loses its answer, is the last
 * one of its process, or is where that is paused while another one rotates. `npm test` takes each call once, and draws
 * worlds with up to four such events; `npm run test:long` takes each pair.
 */
const MOST_EVENTS = LONG ? 2 : 1;
const DRAWN = LONG ? 1_000 : 40;

describe.each(KINDS)("a rotation of kind %s", (kind) => {
  test(`keeps what works, and comes to rest, with ${MOST_EVENTS} events anywhere`, async () => {
    const scripts: Script[] = [new Map()];
    let worlds = 0;
    for (let script = scripts.pop(); script !== undefined; script = scripts.pop()) {
      const told = await simulate(kind, script);
      expect(problemsOf(kind, script, told)).toEqual([]);
      if (script.size < MOST_EVENTS) scripts.push(...oneMore(script, told));
      worlds += 1;
    }
    expect(worlds).toBeGreaterThan(60);
  }, 1_200_000);

  test("keeps what works, and comes to rest, with a few events anywhere", async () => {
    const event = fc.tuple(fc.nat(50), fc.constantFrom(...EVENTS));
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 2, maxLength: 4 }), async (events) => {
        const script = new Map(events);
        expect(problemsOf(kind, script, await simulate(kind, script))).toEqual([]);
      }),
      { numRuns: DRAWN },
    );
  }, 1_200_000);
});

test("a run that was paused with its claim leaves alone what the next one has kept", async () => {
  const script = new Map<number, Event>([
    [2, "pauseAfter"],
    [9, "crashAfter"],
  ]);
  const told = await simulate("mint-X", script);
  expect(told.calls[9]?.name).toBe("disk");
  expect(problemsOf("mint-X", script, told)).toEqual([]);
});

function oneMore(script: Script, { calls }: Told): Script[] {
  const after = Math.max(-1, ...script.keys());
  return calls.flatMap(({ events }, at) =>
    at <= after
      ? []
      : events.flatMap((event) => (event === "fine" ? [] : [new Map<number, Event>([...script, [at, event]])])),
  );
}

/** What is wrong with how a world ended, beside what was wrong on the way; each with the story that led there. */
function problemsOf(kind: Kind, script: Script, told: Told): string[] {
  const { phase, stored, valid } = told;
  const wrong: [string, boolean][] = [
    ["what is stored does not work", phase !== "stuck" && !valid.includes(stored)],
    [`${valid.length} values work`, phase !== "stuck" && valid.length > mostValid(kind, script)],
    // Only an answer that nobody has is beyond us.
    ["it is stuck", phase === "stuck" && kind !== "mint-X" && kind !== "mint-family"],
    ["the old value was shown again", kind === "mint-family" && told.shownAgain],
  ];
  const problems = [...told.problems, ...wrong.flatMap(([problem, is]) => (is ? [problem] : []))];
  return problems.map((problem) => `${problem}: ${storyOf(script, told)}`);
}

/**
 * A run that was paused ends what it made in vain, and may fail in that: one more that nobody knows, with the id of the
 * rotation at the issuer. What a person made and nobody took is that person's.
 */
function mostValid(kind: Kind, script: Script): number {
  if (kind === "human") return Infinity;
  const paused = [...script.values()].filter((event) => event === "pauseBefore" || event === "pauseAfter").length;
  return kind.endsWith("O") && script.size > 1 ? 1 + paused : 1;
}

function storyOf(script: Script, { calls, outcomes, valid }: Told): string {
  const events = [...script].map(([at, event]) => `${event} at ${at} (${calls[at]?.name})`);
  return [...events, outcomes.map(({ type }) => type).join(), valid.join()].join("; ");
}
