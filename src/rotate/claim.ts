import { journalOf } from "../core/journal.ts";
import type { OwnerState } from "../core/owner.ts";
import type { WholeSecret } from "../core/provider.ts";
import { formatRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import type { RotationOptions, RotationPlan } from "./options.ts";
import { type Found, type Journal, type RotationStore, readJournal, writeJournal } from "./journal.ts";
import { type Outcome, retryTime } from "./outcome.ts";
import { type RotationState, rotationId } from "./state.ts";
import type { Target } from "./target.ts";

export type EngineTarget = Exclude<Target, { kind: "native" }>;

/** With what the engine has made sure of. */
export type EngineOptions = RotationOptions & { readonly target: EngineTarget; readonly provider: RotationStore };

/** One rotation in the hands of this process. */
export interface Claimed {
  readonly plan: RotationPlan;
  readonly options: EngineOptions;
  readonly journal: Journal;
  /** True where another run began it. */
  readonly resumed: boolean;
}

type Claim = { readonly type: "claimed"; readonly run: Claimed } | Outcome;

const CLAIM_TIME = 120_000;
export const CALL_TIME = 30_000;

/**
 * Makes this process the owner of the secret's rotation, a new one or the one that is under way. Whose write of the
 * journal the store takes has it. Nothing is asked of the target.
 */
export async function claim(plan: RotationPlan, options: EngineOptions): Promise<Claim> {
  const request = { deadline: deadlineOf(options) };
  const found = await readJournal({ provider: options.provider, ref: plan.ref }, request);
  if (found.type === "damaged") return { type: "stuck", reason: found.reason, check: found.check };
  if (isOver(plan, found)) return { type: "notDue" };
  const waiting = found.type === "none" ? undefined : keepOut(plan, options, found);
  if (waiting !== undefined) return waiting;
  try {
    if (found.type === "none" || isFree(found.state)) return await begin(plan, options, found);
    if (found.state.phase === "stuck") return stuckOutcome(found.state);
    return await takeOver(plan, options, found);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "secret-exists") throw error;
    return busy(plan, options);
  }
}

/** Who it is that was faster; where it is done already, by a run that took no longer. */
export async function busy(plan: RotationPlan, options: EngineOptions): Promise<Outcome> {
  const request = { deadline: deadlineOf(options) };
  const found = await readJournal({ provider: options.provider, ref: plan.ref }, request);
  const state = found.type === "journal" ? found.state : undefined;
  return { type: "busy", host: hostOf(state), until: state?.deadline ?? options.now() };
}

/** True where only a certain rotation was to be gone on with, and somebody else has ended it meanwhile. */
function isOver({ resume }: RotationPlan, found: Exclude<Found, { type: "damaged" }>): boolean {
  if (resume === undefined) return false;
  return found.type === "none" || isFree(found.state) || found.state.id !== resume;
}

/** Nothing was made yet. */
function isFree({ phase }: RotationState): boolean {
  return phase === "idle" || phase === "claimed";
}

function keepOut(plan: RotationPlan, options: EngineOptions, { state }: Journal): Outcome | undefined {
  if (state.phase === "idle") return tooEarly(plan, options, state);
  const onceOnly = state.phase === "minting" && options.target.class === "X";
  const owner = state.owner === undefined ? "none" : options.stateOf(state.owner);
  switch (mayTakeOver({ owner, expired: options.now() >= state.deadline, onceOnly })) {
    case "yes":
      return undefined;
    case "no":
      return { type: "busy", host: hostOf(state), until: state.deadline };
    case "elsewhere":
      return {
        type: "stuck",
        reason: `${hostOf(state)} was asking for a new value of ${formatRef(plan.ref)}, and only there can the answer be`,
        check: "run mcp-secrets rotate on that host; where it is gone for good, see which value the issuer knows",
      };
  }
}

/**
 * Whether a rotation that another process has may be taken from it. One that is known to be gone has left it; else its
 * time must be over, and even then it may only be paused: all that it may still do is harmless, but for a call that
 * must not be made twice.
 */
export function mayTakeOver(seen: {
  readonly owner: OwnerState | "none";
  readonly expired: boolean;
  readonly onceOnly: boolean;
}): "yes" | "no" | "elsewhere" {
  const { owner, expired, onceOnly } = seen;
  if (owner === "none" || owner === "dead") return "yes";
  if (!expired) return "no";
  if (!onceOnly) return "yes";
  return owner === "alive" ? "no" : "elsewhere";
}

/** Only what runs by itself waits: a person knows why. */
function tooEarly({ slot }: RotationPlan, { now }: EngineOptions, { last }: RotationState): Outcome | undefined {
  if (slot === undefined || last === undefined) return undefined;
  if (last.result === "rotated" && last.slot === slot) return { type: "notDue" };
  const retryAt = retryTime(last, now());
  if (now() >= retryAt) return undefined;
  const times = last.failures === 1 ? "once" : `${last.failures} times`;
  const next = new Date(retryAt).toISOString();
  return {
    type: "later",
    reason: `it came to nothing ${times}${last.reason === undefined ? "" : ` (${last.reason})`}; tried again from ${next} on`,
  };
}

async function begin(
  plan: RotationPlan,
  options: EngineOptions,
  found: Exclude<Found, { type: "damaged" }>,
): Promise<Claim> {
  const { provider, now } = options;
  const old = found.type === "none" ? undefined : found;
  const request = { deadline: deadlineOf(options) };
  const secret = await provider.read(plan.ref.path, request);
  if (secret === undefined) throw missing(plan);
  for (const path of [plan.ref.path, journalOf(plan.ref.path)]) await provider.checkRetention?.(path, request);
  const { candidate, previous, quarantine = candidate } = old?.values ?? {};
  const values = { current: secret.fields, ...(previous && { previous }), ...(quarantine && { quarantine }) };
  const state = firstState(plan, options, { old: old?.state, secret, startedAt: now() });
  const journal = await writeJournal({ provider, ref: plan.ref }, { state, values, version: old?.version ?? 0 });
  options.progress?.(state.phase);
  return { type: "claimed", run: { plan, options, journal, resumed: false } };
}

function firstState(
  plan: RotationPlan,
  options: EngineOptions,
  begun: { readonly old: RotationState | undefined; readonly secret: WholeSecret; readonly startedAt: number },
): RotationState {
  const { old } = begun;
  const last = old?.last;
  return {
    phase: "claimed",
    // A claim that came to nothing may have left an empty file under its id.
    id: old?.phase === "claimed" ? old.id : rotationId(options.random()),
    target: plan.targetName,
    startedAt: begun.startedAt,
    ...(plan.slot !== undefined && { slot: plan.slot }),
    ...ownership(options),
    base: begun.secret.version,
    attempt: 0,
    ...(last && { last }),
    ...(old?.made?.version === begun.secret.version && { made: old.made }),
  };
}

async function takeOver(plan: RotationPlan, options: EngineOptions, found: Journal): Promise<Claim> {
  const { provider } = options;
  const { owner: _gone, ...state } = found.state;
  if (state.target !== plan.targetName) return otherTarget(plan, state);
  const journal = await writeJournal(
    { provider, ref: plan.ref },
    { ...found, state: { ...state, ...ownership(options) } },
  );
  return { type: "claimed", run: { plan, options, journal, resumed: true } };
}

function otherTarget({ targetName }: RotationPlan, state: RotationState): Outcome {
  return {
    type: "stuck",
    reason: `a rotation with target ${state.target} is under way, and config.jsonc now says ${targetName}`,
    check: `set the target back to ${state.target} until that rotation is done`,
  };
}

export function ownership(options: EngineOptions): Pick<RotationState, "owner" | "deadline"> {
  const { now, target, claimTime = CLAIM_TIME } = options;
  // Longer than a call of the target's own measure.
  const longest = target.callTime === undefined ? 0 : target.callTime + CLAIM_TIME;
  return { owner: options.owner(), deadline: now() + Math.max(claimTime, longest) };
}

/** By when a call of the target must be over. */
export function callEnd({ target, ...options }: EngineOptions): number {
  return options.now() + (target.callTime ?? options.callTime ?? CALL_TIME);
}

export function deadlineOf({ now, callTime = CALL_TIME }: Pick<RotationOptions, "now" | "callTime">): number {
  return now() + callTime;
}

export function stuckOutcome({ stuck }: RotationState): Outcome {
  return { type: "stuck", reason: stuck?.reason ?? "it is stuck", check: stuck?.check ?? "see what the journal says" };
}

/** The name without what tells two machines of one name apart. */
function hostOf(state: RotationState | undefined): string {
  return state?.owner?.host.split(" ")[0] ?? "another process";
}

function missing({ ref }: RotationPlan): UserError {
  return new UserError("secret-not-found", `no secret ${formatRef(ref)}`, {
    hint: `mcp-secrets set ${formatRef(ref)}`,
  });
}
