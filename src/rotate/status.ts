import type { SecretRef } from "../core/ref.ts";
import { type EngineOptions, callEnd, deadlineOf } from "./claim.ts";
import { type Journal, type RotationStore, readJournal, writeJournal } from "./journal.ts";
import type { RotationOptions, RotationPlan } from "./options.ts";
import type { Outcome, RotationStatus } from "./outcome.ts";
import type { RotationState } from "./state.ts";

/** Where the rotation of a secret stands. Changes nothing, asks no target. @throws UserError of the store */
export async function statusOf(
  ref: SecretRef,
  options: Pick<RotationOptions, "now" | "callTime"> & { readonly provider: RotationStore },
): Promise<RotationStatus> {
  const found = await readJournal({ provider: options.provider, ref }, { deadline: deadlineOf(options) });
  if (found.type === "none") return { phase: "none" };
  if (found.type === "damaged") return { phase: "damaged", problem: { reason: found.reason, check: found.check } };
  const { phase, id, target, startedAt, slot, owner, deadline, promotedAt, until, stuck, last, made } = found.state;
  return {
    phase,
    id,
    target,
    startedAt,
    ...(slot !== undefined && { slot }),
    ...(owner && { owner, deadline }),
    ...(promotedAt !== undefined && { promotedAt }),
    ...(until !== undefined && { until }),
    ...(stuck && { problem: stuck }),
    ...(last && { last }),
    ...(made && { made }),
  };
}

/**
 * Ends a rotation that is stuck, with the value that the secret has now, where that logs in. Every other value stays in
 * the journal.
 */
export async function settle(plan: RotationPlan, options: EngineOptions): Promise<Outcome> {
  const { provider, target } = options;
  const request = { deadline: deadlineOf(options) };
  const found = await readJournal({ provider, ref: plan.ref }, request);
  if (found.type === "damaged") return { type: "stuck", reason: found.reason, check: found.check };
  const secret = await provider.read(plan.ref.path, request);
  if (found.type === "none" || found.state.phase !== "stuck" || secret === undefined) {
    return { type: "later", reason: "nothing is stuck" };
  }
  const { state } = found;
  const call = { id: state.id, ref: plan.ref, current: secret.fields, deadline: callEnd(options) };
  const verdict = await target.test(secret.fields, call);
  if (verdict.type === "unreachable") return { type: "later", reason: verdict.reason };
  if (verdict.type === "rejected") return notYet(state);
  await writeJournal({ provider, ref: plan.ref }, settled(found, secret.version, options));
  return { type: "rotated", id: state.id, version: secret.version };
}

function notYet({ stuck }: RotationState): Outcome {
  const check = stuck?.check ?? "see which of the values in the journal logs in";
  return { type: "stuck", reason: "the target does not take the value that is stored now", check };
}

function settled({ state, values, version }: Journal, base: number, options: EngineOptions): Journal {
  const at = options.now();
  const { id, target, startedAt, attempt } = state;
  const last = { id, at, result: "settled", version: base } as const;
  return { state: { phase: "idle", id, target, startedAt, deadline: 0, base, attempt, last }, values, version };
}
