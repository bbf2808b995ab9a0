import type { Fields } from "../core/provider.ts";
import { UserError } from "../errors.ts";
import { callEnd, deadlineOf } from "./claim.ts";
import { forgetCall, isNoted, noteCall, noteProgram, waitOut } from "./call.ts";
import { sameFields } from "./journal.ts";
import { type Run, stillOurs } from "./hold.ts";
import { attemptId } from "./state.ts";
import type { Seen, Step, Tried, Words } from "./step.ts";
import type { MintTarget, RotationRequest, SetTarget, Verdict } from "./target.ts";

/** The steps that ask something of the target, of the secret or of this machine. */
type Effect = Exclude<Step, { do: "move" | "finish" | "end" }>;

export async function carryOut(run: Run, step: Effect): Promise<Seen> {
  switch (step.do) {
    case "propose":
      return propose(run);
    case "openSpill":
      await run.spill.open();
      return { type: "done", what: "spillOpened" };
    case "readSpill":
      run.made = await run.spill.read();
      return run.made === undefined ? { type: "spill", found: false } : (unfit(run) ?? { type: "spill", found: true });
    case "look":
      return look(run);
    case "promote":
      return promote(run);
    case "waitOut":
      return waitOut(run);
    case "test":
      return test(run, step.value);
    case "mint":
    case "discard":
    case "set":
    case "putBack":
    case "retire":
      return atTarget(run, step);
  }
}

async function propose(run: Run): Promise<Seen> {
  const { target, ask } = run.options;
  if (target.kind === "human") run.made = await ask?.(target.guide({ ref: run.plan.ref }));
  else if (target.kind === "set") run.made = target.propose(requestOf(run));
  const same = sameFields(run.made, run.journal.values.current);
  if (run.made !== undefined && !same) return { type: "done", what: "proposed" };
  run.made = undefined;
  const words = { reason: same ? "the new value is the one that is current" : "a person must give the new value" };
  return { type: "failed", what: "proposed", how: "refused", words };
}

/** What the secret holds now. */
async function look(run: Run): Promise<Seen> {
  const { plan, options, journal } = run;
  const found = await options.provider.read(plan.ref.path, { deadline: deadlineOf(options) });
  run.found = found;
  if (found === undefined) return { type: "secret", is: "gone", version: 0 };
  const { version, fields } = found;
  if (sameFields(fields, journal.values.candidate)) return { type: "secret", is: "candidate", version };
  // The same value stored again is no other value.
  const isBase = version === journal.state.base || sameFields(fields, journal.values.current);
  return { type: "secret", is: isBase ? "base" : "other", version };
}

async function promote(run: Run): Promise<Seen> {
  const { plan, options, journal, found } = run;
  const { candidate } = journal.values;
  if (candidate === undefined) throw new Error("a promotion without a candidate");
  await stillOurs(run);
  try {
    const ifVersion = found?.version ?? journal.state.base;
    return { type: "promoted", version: await options.provider.put(plan.ref.path, candidate, { ifVersion }) };
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "secret-exists") throw error;
    return look(run);
  }
}

/** One login. A rejection of what is new is believed when the system has had its time. */
async function test(run: Run, value: Tried): Promise<Seen> {
  const { target, now, sleep } = run.options;
  const settled = now() + (value === "candidate" ? (target.settling ?? 0) : 0);
  for (let pause = FIRST_PAUSE; ; pause *= 2) {
    await stillOurs(run);
    const verdict = await target.test(valueOf(run, value), requestOf(run));
    if (verdict.type !== "rejected" || now() >= settled) return tested(run, value, verdict);
    await sleep(Math.min(pause, Math.max(0, settled - now())));
  }
}

/** Milliseconds. */
const FIRST_PAUSE = 500;

function tested(run: Run, value: Tried, verdict: Verdict): Seen {
  if (verdict.type === "rejected") run.refused.push(value);
  return { type: "tested", value, verdict };
}

type TargetStep = Extract<Effect, { do: "mint" | "discard" | "set" | "putBack" | "retire" }>;

const DONE = { mint: "minted", discard: "discarded", set: "set", putBack: "set", retire: "retired" } as const;

async function atTarget(run: Run, step: TargetStep): Promise<Seen> {
  const what = DONE[step.do];
  await stillOurs(run);
  try {
    return (await call(run, step)) ?? { type: "done", what };
  } catch (error) {
    const how = error instanceof UserError ? HOW[error.code] : undefined;
    if (!(error instanceof UserError) || how === undefined) throw error;
    const words: Words = { reason: error.message, hint: error.hint };
    if (how === "refused") run.saidNo = words;
    if (step.do === "mint" && how !== "lost") forgetCall(run);
    return { type: "failed", what, how, words };
  }
}

const HOW: Readonly<Partial<Record<string, "unreachable" | "lost" | "refused">>> = {
  "target-unreachable": "unreachable",
  "target-lost": "lost",
  "target-refused": "refused",
};

/** What is to be told of it beside that it was done. */
async function call(run: Run, step: TargetStep): Promise<Seen | undefined> {
  const { target } = run.options;
  if (step.do === "mint" && target.kind === "mint") return mint(run, target);
  if (step.do === "discard" && target.kind === "mint") return discard(run, target, step.last);
  if (step.do === "retire") return retire(run, step.value);
  if (target.kind !== "set") throw new Error(`a step ${step.do} for a target that is met by ${target.kind}`);
  await put(run, target, step);
  return undefined;
}

async function put(run: Run, target: SetTarget, step: TargetStep): Promise<void> {
  const request = requestOf(run);
  const candidate = valueOf(run, "candidate");
  if (step.do === "putBack") return target.set(valueOf(run, "current"), { ...request, previous: candidate });
  run.inForce = candidate;
  return target.set(candidate, step.do === "set" && step.as === "previous" ? loggedInWithPrevious(request) : request);
}

/** Whatever led here: what the secret holds now is not ended. */
async function retire(run: Run, value: "current" | "candidate"): Promise<Seen | undefined> {
  const { plan, options } = run;
  const [request, old, candidate] = [requestOf(run), valueOf(run, value), valueOf(run, "candidate")];
  const stored = await options.provider.read(plan.ref.path, { deadline: deadlineOf(options) });
  if (sameFields(stored?.fields, old)) return { type: "inUse" };
  await options.target.retire(old, value === "current" ? { ...request, current: candidate, previous: old } : request);
  return undefined;
}

/** What an issuer shows once goes to this machine's disk before it goes anywhere else. */
async function mint(run: Run, target: MintTarget): Promise<Seen | undefined> {
  run.mints += 1;
  if (!isNoted(run)) await noteCall(run);
  run.made = await target.mint({ ...requestOf(run), started: (pid) => noteProgram(run, pid) });
  const bad = unfit(run);
  if (target.class !== "X" || run.made === undefined) return bad;
  try {
    await run.spill.keep(run.made);
  } catch {
    // The store is what is left.
    run.unspilled = true;
  }
  return bad;
}

/** What was made must be another value, with every field of the secret: who reads one finds it. */
function unfit(run: Run): Seen | undefined {
  const { made = {} } = run;
  const missing = Object.keys(valueOf(run, "current")).filter((name) => made[name] === undefined);
  if (missing.length > 0) return { type: "unfit", how: "incomplete", missing };
  // More fields around the same ones are no new value.
  if (!Object.entries(valueOf(run, "current")).every(([name, value]) => made[name]?.equals(value))) return undefined;
  run.made = undefined;
  return { type: "unfit", how: "same" };
}

/** Each try has left something under a name of its own, or nothing. */
async function discard(run: Run, target: MintTarget, last: boolean): Promise<undefined> {
  const { id, attempt, cleared = 0 } = run.journal.state;
  const until = last ? attempt : attempt - 1;
  for (let each = cleared + 1; each <= until; each += 1) {
    await target.discard({ ...requestOf(run), id: attemptId(id, each) });
    run.cleared = each;
  }
}

/** The store has drifted from the target: what was valid before still is. */
function loggedInWithPrevious({ previous, ...request }: RotationRequest): RotationRequest {
  return { ...request, ...(previous && { current: previous }) };
}

/** As the target sees this rotation. */
export function requestOf(run: Run): RotationRequest {
  const { plan, options, journal } = run;
  const { previous } = journal.values;
  return {
    id: attemptId(journal.state.id, journal.state.attempt),
    ref: plan.ref,
    current: valueOf(run, "current"),
    ...(previous && { previous }),
    deadline: callEnd(options),
    ...(options.signal && { signal: options.signal }),
  };
}

function valueOf({ journal, found }: Run, value: Tried): Fields {
  const fields = value === "found" ? found?.fields : journal.values[value];
  if (fields === undefined) throw new Error(`a rotation that is ${journal.state.phase} has no ${value} value`);
  return fields;
}
