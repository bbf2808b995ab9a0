import type { Fields } from "../core/provider.ts";
import { UserError } from "../errors.ts";
import { type Claimed, busy, deadlineOf, ownership } from "./claim.ts";
import { callFrom } from "./call.ts";
import { carryOut } from "./effects.ts";
import { LostClaim, type Run, write } from "./hold.ts";
import { passing } from "./passing.ts";
import { readJournal, sameFields } from "./journal.ts";
import { nextStep } from "./machine.ts";
import type { LastRotation, Outcome } from "./outcome.ts";
import { dropOrphan } from "./orphan.ts";
import { spillOf } from "./spill.ts";
import type { HeldValues, Phase, RotationState } from "./state.ts";
import type { Ending, Facts, Seen, Step } from "./step.ts";

/**
 * Carries out one step after the other until the machine ends the run. `again`: it was paused for too long, and the
 * secret is to be rotated anew.
 */
export async function drive(claimed: Claimed): Promise<Outcome | "again"> {
  const { options, journal } = claimed;
  const run: Run = {
    ...claimed,
    spill: spillOf(options, journal.state.id),
    refused: [],
    mints: 0,
    cleared: undefined,
    saidNo: undefined,
    made: undefined,
    unspilled: false,
    inForce: undefined,
    found: undefined,
  };
  try {
    return await steps(run);
  } catch (error) {
    const words = passing(error);
    if (words !== undefined) return outcomeOf(run, { type: "later", words });
    if (!(error instanceof LostClaim)) throw error;
    return (await dropOrphan(run)) ? "again" : busy(run.plan, options);
  }
}

async function steps(run: Run): Promise<Outcome> {
  let seen: Seen = { type: run.resumed ? "resumed" : "entered" };
  for (;;) {
    const step = nextStep(run.journal.state, seen, factsOf(run));
    // Each step rests on the one before.
    if (step.do === "end") return end(run, step.ending);
    if (step.do === "finish") return finish(run, step);
    seen = step.do === "move" ? await move(run, step) : await carryOut(run, step);
  }
}

function factsOf(run: Run): Facts {
  const { target } = run.options;
  const once = target.kind === "mint" ? target : undefined;
  return {
    kind: target.kind,
    class: target.class,
    reuseRevokes: once?.reuseRevokes === true,
    whenLost: once?.whenLost,
    hasPrevious: run.journal.values.previous !== undefined,
    drained: isDrained(run),
    refused: run.refused,
    mints: run.mints,
    saidNo: run.saidNo,
  };
}

function isDrained(run: Run): boolean {
  const { promoted, until = 0 } = run.journal.state;
  if (promoted === undefined) return false;
  // Of class X the old value is dead already: there is nothing to wait for.
  if (run.options.target.class === "X") return true;
  return run.options.now() >= until || run.options.holders(promoted)?.length === 0;
}

/** Writes the next phase. With a value that is new, it is read back: only then is it known to be safe. */
async function move(run: Run, step: Extract<Step, { do: "move" }>): Promise<Seen> {
  const { made } = run;
  const state = nextState(run, step);
  const values = valuesAfter(run, step);
  await insist(run, () => write(run, { ...run.journal, state, values }));
  if (KEEPING.has(step.to) && made !== undefined) {
    // From here on it is the journal's, whoever has that.
    run.made = undefined;
    await readBack(run, made);
    run.spill.drop();
  }
  if (step.adopt !== undefined) run.found = undefined;
  return { type: "entered" };
}

/** Where a value that was made is the candidate from then on, whatever becomes of it. */
const KEEPING: ReadonlySet<Phase> = new Set(["pending", "rollback", "stuck"]);

/** A value that could not even be kept on this machine has nowhere else to go. */
async function insist(run: Run, work: () => Promise<void>): Promise<void> {
  for (let left = run.unspilled ? MOST_TRIES : 0; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (left === 0 || !(error instanceof UserError) || error.code === "secret-exists") throw error;
      await run.options.sleep(PAUSE);
    }
  }
}

const MOST_TRIES = 60;
/** Milliseconds. */
const PAUSE = 1_000;

function nextState(run: Run, { to, with: patch, adopt }: Extract<Step, { do: "move" }>): RotationState {
  const { refused: _refused, owner: _owner, call, ...state } = run.journal.state;
  const { options, plan, found } = run;
  const now = options.now();
  const until = to === "promoted" ? { promotedAt: now, until: now + plan.grace } : {};
  const base = adopt === undefined || found === undefined ? {} : { base: found.version };
  // Nobody works on what only waits.
  const own = to === "draining" || to === "stuck" ? { deadline: now } : ownership(options);
  const cleared = run.cleared === undefined ? {} : { cleared: run.cleared };
  // The intent says how long the call may take; the one of an earlier try is waited for first.
  const calling = to === "minting" ? { call: call ?? callFrom(run, patch?.attempt ?? state.attempt) } : {};
  return { ...state, ...until, ...base, ...cleared, ...calling, ...own, ...patch, phase: to };
}

function valuesAfter(run: Run, { to, adopt }: Extract<Step, { do: "move" }>): HeldValues {
  const { values } = run.journal;
  if (KEEPING.has(to) && run.made !== undefined) return { ...values, candidate: run.made };
  if (adopt !== "value" || run.found === undefined) return values;
  return { ...values, current: run.found.fields, ...(values.current && { previous: values.current }) };
}

async function readBack(run: Run, made: Fields): Promise<void> {
  const { plan, options } = run;
  const found = await readJournal({ provider: options.provider, ref: plan.ref }, { deadline: deadlineOf(options) });
  if (found.type === "journal" && found.version !== run.journal.version) throw new LostClaim("lost");
  if (found.type === "journal" && sameFields(found.values.candidate, made)) return;
  throw new UserError("store-answer", `store ${plan.ref.store} does not give back what was stored`, {
    hint: `mcp-secrets store check ${plan.ref.store}`,
  });
}

async function end(run: Run, ending: Ending): Promise<Outcome> {
  await letGo(run);
  return outcomeOf(run, ending);
}

/** So that the next run goes on at once. Only a call that must not be made twice stays with its caller. */
async function letGo(run: Run): Promise<void> {
  const { owner, ...state } = run.journal.state;
  if (owner === undefined || state.phase === "idle") return;
  const keeps = state.phase === "minting" && run.options.target.class === "X";
  try {
    const deadline = run.options.now();
    await write(run, { ...run.journal, state: { ...state, deadline, ...(keeps && { owner }) } });
  } catch (error) {
    // The claim runs out by itself.
    if (!(error instanceof UserError || error instanceof LostClaim)) throw error;
  }
}

async function finish(run: Run, { result, ending }: Extract<Step, { do: "finish" }>): Promise<Outcome> {
  const { state, values } = run.journal;
  const outcome = outcomeOf(run, ending);
  const last = lastOf(run, result, outcome);
  const { id, target, startedAt, base, attempt, made } = state;
  const kept = result === "rotated" || made === undefined ? {} : { made };
  const idle: RotationState = { phase: "idle", id, target, startedAt, base, attempt, deadline: 0, last, ...kept };
  await write(run, { ...run.journal, state: idle, values: valuesKept(values, result) });
  run.spill.drop();
  return outcome;
}

/** Of a rotation that is over: what was valid before, in case the store's own versions are gone; and what failed. */
function valuesKept(
  { candidate, current, previous, quarantine }: HeldValues,
  result: LastRotation["result"],
): HeldValues {
  if (result === "rotated") return current === undefined ? {} : { previous: current };
  const failed = candidate ?? quarantine;
  return { ...(previous && { previous }), ...(failed && { quarantine: failed }) };
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function lastOf(run: Run, result: LastRotation["result"], outcome: Outcome): LastRotation {
  const { state } = run.journal;
  const at = run.options.now();
  const about = { id: state.id, at, result, ...(state.slot !== undefined && { slot: state.slot }) };
  if (result === "rotated") return { ...about, ...(state.promoted !== undefined && { version: state.promoted }) };
  const failures = (state.last?.failures ?? 0) + 1;
  // What was not even tried may be tried at once.
  const wait = result === "notApplied" ? 0 : Math.min(DAY, HOUR * 2 ** Math.min(failures - 1, 10));
  return { ...about, reason: reasonOf(outcome), failures, retryAt: at + wait };
}

function reasonOf(outcome: Outcome): string {
  if ("reason" in outcome) return outcome.reason;
  if (outcome.type !== "rolledBack") return outcome.type;
  const { why } = outcome;
  return why.type === "lacking" || why.type === "incomplete" ? `it lacked ${why.missing.join(", ")}` : why.type;
}

function outcomeOf(run: Run, ending: Ending): Outcome {
  const { state } = run.journal;
  const { id, promoted: version = 0 } = state;
  switch (ending.type) {
    case "rotated":
      return { type: "rotated", id, version };
    case "draining":
      return { type: "draining", id, version, until: state.until ?? 0, holders: run.options.holders(version) };
    case "rolledBack":
      return { type: "rolledBack", id, why: state.failure ?? { type: "rejected" } };
    case "stuck":
      return ending;
    case "later":
    case "adminRefused": {
      const { reason, hint } = ending.words;
      const hinted = hint === undefined ? {} : { hint };
      const since = OLD_IS_VALID.has(state.phase) && state.promotedAt !== undefined;
      const old = since ? { oldValidSince: state.promotedAt } : {};
      return { type: ending.type, reason, ...hinted, ...old };
    }
  }
}

const OLD_IS_VALID: ReadonlySet<Phase> = new Set(["promoted", "draining", "retiring"]);
