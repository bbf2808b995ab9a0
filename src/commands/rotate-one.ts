import { type AuditEntry, appendAudit } from "../audit/log.ts";
import type { Fields } from "../core/provider.ts";
import { UserError } from "../errors.ts";
import { rotateSecret, settleRotation } from "../rotate/engine.ts";
import { holdersBefore } from "../rotate/holders.ts";
import { clearMarks, markReplaced } from "../rotate/marks.ts";
import type { Outcome } from "../rotate/outcome.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import type { Phase } from "../rotate/state.ts";
import { askedFields } from "../rotate/targets/human.ts";
import { openSeal } from "../stores.ts";
import type { Work } from "./rotate-standing.ts";
import { openTarget, type World } from "./rotation.ts";

export const HUMAN = "human";

/** One secret to work on. */
export interface Job {
  readonly secret: RotatedSecret;
  /** Where its rotation stands before. */
  readonly phase: Phase | "none" | "damaged";
  readonly work: Work;
  /** Class H: what the person gave. */
  readonly given?: Fields;
  /** A person says that what was stuck is mended. */
  readonly settle?: boolean;
}

/** How it went for one secret. */
export interface Report {
  readonly reference: string;
  readonly target: string;
  readonly outcome: Outcome | { readonly type: "failed"; readonly error: UserError };
  /** The entries of running launches that still have an older version: they must be restarted. */
  readonly restart: readonly string[];
}

/** Rotates one secret, or goes on with it. Never throws for what one secret has: the others go on. */
export async function rotateOne(world: World, job: Job, progress?: (phase: Phase) => void): Promise<Report> {
  const { secret } = job;
  const about = { reference: wholeName(secret.ref), target: secret.target };
  try {
    const outcome = await engine(world, job, progress);
    await noteOutcome(world, job, outcome);
    return { ...about, outcome, restart: restartsFor(world, secret, outcome) };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    audit(world, secret, {
      event: "rotated",
      outcome: error.code === "refused" ? "denied" : "failed",
      code: error.code,
    });
    return { ...about, outcome: { type: "failed", error }, restart: [] };
  }
}

async function engine(world: World, { secret, work, given, settle }: Job, progress?: (phase: Phase) => void) {
  const { context } = world;
  const plan = {
    ref: secret.ref,
    targetName: secret.target,
    // Nothing of ours ends the old value of a person's secret.
    grace: secret.target === HUMAN ? 0 : secret.grace,
    ...work,
  };
  const options = {
    ...context,
    provider: await world.openStore(secret.ref.store),
    target: await openTarget(world, secret),
    openSeal: () => openSeal(context),
    holders: (newest: number) => {
      // Other machines may use any store but the local one, and nobody here knows what runs on them.
      return secret.ref.store === "local" ? holdersBefore(world.launches, secret.ref, newest) : undefined;
    },
    ...(given === undefined ? {} : { ask: () => Promise.resolve(given) }),
    ...(progress === undefined ? {} : { progress }),
  };
  return settle === true ? settleRotation(plan, options) : rotateSecret(plan, options);
}

/** The log, and the marks of what was in plaintext. */
async function noteOutcome(world: World, { secret, phase, settle }: Job, outcome: Outcome): Promise<void> {
  const { context } = world;
  switch (outcome.type) {
    case "rotated":
    case "draining":
      if (settle === true) audit(world, secret, { event: "settled", outcome: "ok" });
      else if (!isPromoted(phase)) audit(world, secret, { event: "rotated", outcome: "ok" });
      if (secret.target === HUMAN) {
        if (!isPromoted(phase)) await remind(world, secret, outcome.version);
        break;
      }
      if (outcome.type === "rotated" && settle !== true) audit(world, secret, { event: "retired", outcome: "ok" });
      await clearMarks(context, secret.ref);
      break;
    case "rolledBack":
      audit(world, secret, { event: "rolled-back", outcome: "failed" });
      break;
    case "stuck":
      audit(world, secret, { event: "stuck", outcome: "failed" });
      break;
    case "adminRefused":
      audit(world, secret, { event: "rotated", outcome: "denied", code: "target-refused" });
      break;
    case "busy":
    case "notDue":
    case "later":
      break;
  }
}

/** The old value ends by the person's hand: until they say so, `status` and `doctor` ask. */
async function remind({ context }: World, secret: RotatedSecret, version: number | undefined): Promise<void> {
  const now = context.now();
  for (const field of askedFields(wholeName(secret.ref), secret.settings)) {
    const replacement = { ref: { ...secret.ref, field }, changed: true, ...(version === undefined ? {} : { version }) };
    await markReplaced(context, replacement, { now, remind: true });
  }
}

function restartsFor({ launches }: World, { ref }: RotatedSecret, outcome: Outcome): readonly string[] {
  const done = outcome.type === "rotated" || outcome.type === "draining";
  return done && outcome.version !== undefined ? holdersBefore(launches, ref, outcome.version) : [];
}

/** Past the point where the new value is the current one: what is left is the old one's end. */
function isPromoted(phase: Job["phase"]): boolean {
  return phase === "promoted" || phase === "draining" || phase === "retiring";
}

function audit({ context }: World, { ref }: RotatedSecret, entry: Omit<AuditEntry, "refs">): void {
  appendAudit(context, { ...entry, refs: [wholeName(ref)] });
}
