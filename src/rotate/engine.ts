import { type SecretRef, formatRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { type EngineOptions, claim } from "./claim.ts";
import type { RotationStore } from "./journal.ts";
import { rotateNative } from "./native.ts";
import type { RotationOptions, RotationPlan } from "./options.ts";
import type { Outcome, RotationStatus } from "./outcome.ts";
import { passing } from "./passing.ts";
import { drive } from "./run.ts";
import { settle, statusOf } from "./status.ts";

export type { RotationOptions, RotationPlan };

/**
 * Rotates one secret, or goes on with a rotation of it that was begun and not ended, by whomever.
 * @throws UserError of the store where it refuses us; what is merely not reachable is an outcome
 */
export async function rotateSecret(plan: RotationPlan, options: RotationOptions): Promise<Outcome> {
  try {
    const { target } = options;
    if (target.kind === "native") return await rotateNative(plan, target, options);
    return await claimAndDrive(plan, { ...options, target, provider: storeOf(plan.ref, options) });
  } catch (error) {
    const words = passing(error);
    if (words === undefined) throw error;
    const { reason, hint } = words;
    return { type: "later", reason, ...(hint !== undefined && { hint }) };
  }
}

async function claimAndDrive(plan: RotationPlan, options: EngineOptions): Promise<Outcome> {
  const claimed = await claim(plan, options);
  if (claimed.type !== "claimed") return claimed;
  const outcome = await drive(claimed.run);
  if (outcome !== "again") return outcome;
  const { slot: _done, ...anew } = plan;
  return claimAndDrive(anew, options);
}

/**
 * For a person who has mended what was stuck: tests the value that the store has now, and where it logs in, ends the
 * rotation with it. Every other value is kept in the journal.
 * @throws UserError of the store
 */
export async function settleRotation(plan: RotationPlan, options: RotationOptions): Promise<Outcome> {
  const { target } = options;
  if (target.kind === "native") return { type: "later", reason: "the store itself rotates it: nothing here is stuck" };
  return settle(plan, { ...options, target, provider: storeOf(plan.ref, options) });
}

/**
 * Where the rotation of a secret stands. Changes nothing, asks no target. A secret that its store rotates has no
 * journal: its target tells.
 * @throws UserError of the store
 */
export async function readRotation(
  ref: SecretRef,
  options: Pick<RotationOptions, "provider" | "now" | "callTime">,
): Promise<RotationStatus> {
  return statusOf(ref, { ...options, provider: storeOf(ref, options) });
}

/** @throws UserError refused */
function storeOf(ref: SecretRef, { provider }: Pick<RotationOptions, "provider">): RotationStore {
  const { read, put } = provider;
  if (read !== undefined && put !== undefined) return { ...provider, read, put };
  throw new UserError("refused", `nothing can be rotated in store ${ref.store}: ${formatRef(ref)}`);
}
