import { type AuditEntry, appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import type { Fields } from "../core/provider.ts";
import type { SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { changedFields } from "../rotate/changed.ts";
import { rotateSecret, settleRotation } from "../rotate/engine.ts";
import { holdersBefore } from "../rotate/holders.ts";
import { hasMarks, markReplaced, markRotated, type Rotated } from "../rotate/marks.ts";
import type { Outcome } from "../rotate/outcome.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import type { Phase } from "../rotate/state.ts";
import type { HumanTarget, Target } from "../rotate/target.ts";
import { askedFields, canTest } from "../rotate/targets/human.ts";
import { openSeal } from "../stores.ts";
import type { Work } from "./rotate-standing.ts";
import { openTarget, type World } from "./rotation.ts";

export const HUMAN = "human";

/** One secret to work on. */
export interface Job {
  readonly secret: RotatedSecret;
  /** Where its rotation stands before. */
  readonly phase: Phase | "none" | "damaged";
  /** Why that cannot be told: nothing is done then. */
  readonly error?: UserError;
  readonly work?: Work;
  /** Class H: what the person gave. */
  readonly given?: Fields;
  /** A person's word: that what was stuck is mended, or that the old value is dead. */
  readonly word?: "settle" | "retired";
}

/** How it went for one secret. */
export interface Report {
  readonly reference: string;
  readonly target: string;
  readonly outcome: Outcome | { readonly type: "failed"; readonly error: UserError };
  /** The entries of running launches that still have an older version: they must be restarted. */
  readonly restart: readonly string[];
  /** False where nothing was done, and nothing should have been. */
  readonly news: boolean;
  /** True where the journal cannot be read: then there is nothing that could be settled. */
  readonly damaged: boolean;
}

/** Rotates one secret, or goes on with it. Never throws for what one secret has: the others go on. */
export async function rotateOne(world: World, job: Job): Promise<Report> {
  const { secret, error } = job;
  const about = { reference: wholeName(secret.ref), target: secret.target, damaged: job.phase === "damaged" };
  if (error !== undefined) return { ...failedReport(secret, error), ...about };
  try {
    const target = await openTarget(world, secret);
    const outcome = await engine(world, job, target);
    noteOutcome(world, job, outcome);
    if (isPromoted(outcome) && job.word !== "settle") await noteMarks(world, secret, target, outcome);
    const waits =
      (secret.target === HUMAN && isPast(job.phase) && outcome.type === "later") ||
      (job.phase === "draining" && outcome.type === "draining");
    const news = outcome.type !== "busy" && outcome.type !== "notDue" && !waits;
    return { ...about, outcome, restart: await restartsFor(world, secret, outcome), news };
  } catch (failure) {
    if (!(failure instanceof UserError)) throw failure;
    audit(world, secret, { event: "rotated", outcome: "failed", code: failure.code });
    return { ...about, outcome: { type: "failed", error: failure }, restart: [], news: true };
  }
}

/** Nothing was begun. */
export function failedReport({ ref, target }: RotatedSecret, error: UserError): Report {
  const outcome = { type: "failed", error } as const;
  return { reference: wholeName(ref), target, outcome, restart: [], news: true, damaged: false };
}

async function engine(world: World, { secret, work, given, word }: Job, target: Target): Promise<Outcome> {
  const { context } = world;
  const { ref } = secret;
  // Nothing of ours ends the old value of a person's secret, so that nothing is gained by waiting.
  const grace = secret.target === HUMAN ? 0 : secret.grace;
  const plan = { ref, targetName: secret.target, grace, ...work };
  const options = {
    ...context,
    provider: await world.openStore(ref.store),
    target: word === "retired" ? believing(target, secret) : target,
    openSeal: () => openSeal(context),
    holders: (newest: number) => {
      // Other machines may use any store but the local one, and nobody here knows what runs on them.
      return ref.store === "local" ? holdersBefore(world.launches, ref, newest) : undefined;
    },
    ...(given === undefined ? {} : { ask: () => Promise.resolve(given) }),
  };
  return word === "settle" ? settleRotation(plan, options) : rotateSecret(plan, options);
}

/** Where the vendor cannot be asked whether the old value is dead, the person's word is all there is. */
function believing(target: Target, { ref, settings }: RotatedSecret): Target {
  if (target.kind !== "human" || canTest(wholeName(ref), settings)) return target;
  return { ...target, test: () => Promise.resolve({ type: "rejected" }) };
}

/** What goes into the log. */
function noteOutcome(world: World, { secret, phase, word }: Job, outcome: Outcome): void {
  if (word === "settle" && outcome.type === "rotated") audit(world, secret, { event: "settled", outcome: "ok" });
  else if (isPromoted(outcome) && !isPast(phase)) audit(world, secret, { event: "rotated", outcome: "ok" });
  if (outcome.type === "rotated" && word !== "settle") audit(world, secret, { event: "retired", outcome: "ok" });
  if (outcome.type === "rolledBack") audit(world, secret, { event: "rolled-back", outcome: "failed" });
  if (outcome.type === "stuck") audit(world, secret, { event: "stuck", outcome: "failed" });
  if (outcome.type === "adminRefused") {
    const event = isPromoted(outcome) ? "retired" : "rotated";
    audit(world, secret, { event, outcome: "denied", code: "target-refused" });
  }
}

/**
 * A mark goes with the value that it is about. On this machine it also reminds of an old value that ends by hand, where
 * no settings name the secret. To settle is no rotation: the value that was in plaintext may be the one that logs in.
 */
async function noteMarks(world: World, secret: RotatedSecret, target: Target, outcome: Outcome): Promise<void> {
  const { context } = world;
  const { ref } = secret;
  if (target.kind !== "human" && !hasMarks(context, ref)) return;
  const version = "version" in outcome ? outcome.version : await versionNow(world, ref);
  const counted = version !== undefined && Number.isFinite(version) ? { version } : {};
  if (target.kind === "human") return notePersons(context, secret, outcome, counted);
  const isChanged =
    target.kind === "native"
      ? () => true
      : await changedFields(ref, { provider: await world.openStore(ref.store), now: context.now });
  const rotated = { ref, ...counted, isChanged, old: endOf(target, outcome), oldAlone: target.kind === "mint" };
  await markRotated(context, rotated, context.now());
}

function endOf(target: Exclude<Target, HumanTarget>, outcome: Outcome): Rotated["old"] {
  if (target.kind === "native") return target.mayKeepOld === true ? "unknown" : "ended";
  if (target.keepsOld === true) return "turn";
  return target.class === "X" || outcome.type === "rotated" ? "ended" : "grace";
}

/** Only what the person was asked for is another value now. */
async function notePersons(
  context: Context,
  { ref, settings }: RotatedSecret,
  outcome: Outcome,
  counted: { readonly version?: number },
): Promise<void> {
  const fields = askedFields(wholeName(ref), settings);
  if (outcome.type === "rotated") {
    const isChanged = (field: string) => fields.includes(field);
    return markRotated(context, { ref, ...counted, isChanged, old: "ended", oldAlone: false }, context.now());
  }
  for (const field of fields) {
    const replacement = { ref: { ...ref, field }, ...counted, changed: true, remind: true };
    await markReplaced(context, replacement, context.now());
  }
}

/** The new value is current. */
export function isPromoted(outcome: Report["outcome"]): boolean {
  if (outcome.type === "later" || outcome.type === "adminRefused") return outcome.oldValidSince !== undefined;
  return outcome.type === "rotated" || outcome.type === "draining";
}

/** Past the promotion: what is left is the old one's end. */
export function isPast(phase: Job["phase"]): boolean {
  return phase === "promoted" || phase === "draining" || phase === "retiring";
}

async function restartsFor(world: World, { ref }: RotatedSecret, outcome: Outcome): Promise<readonly string[]> {
  if (!isPromoted(outcome)) return [];
  const known = "version" in outcome ? outcome.version : undefined;
  const version = known ?? (await versionNow(world, ref));
  // Where the store counts no versions, whoever runs with the secret may have the old one.
  return holdersBefore(world.launches, ref, version ?? Infinity);
}

/** What an engine of the store makes has no versions: whoever runs with it may have the old one. */
async function versionNow(world: World, { store, path }: SecretRef): Promise<number | undefined> {
  try {
    return (await (await world.openStore(store)).describe?.(path))?.version;
  } catch (error) {
    if (error instanceof UserError) return Infinity;
    throw error;
  }
}

function audit({ context }: World, { ref }: RotatedSecret, entry: Omit<AuditEntry, "refs">): void {
  appendAudit(context, { ...entry, refs: [wholeName(ref)] });
}
