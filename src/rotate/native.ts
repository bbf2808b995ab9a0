import { createHash } from "node:crypto";
import { formatRef } from "../core/ref.ts";
import type { NativeStatus } from "../core/provider.ts";
import { deadlineOf } from "./claim.ts";
import type { RotationOptions, RotationPlan } from "./options.ts";
import type { Outcome } from "./outcome.ts";
import { rotationId } from "./state.ts";
import type { NativeTarget } from "./target.ts";

/**
 * A rotation that the store does itself: it is asked once, and its own record is the journal. Two hosts that ask for
 * the same slot ask under the same name.
 */
export async function rotateNative(
  plan: RotationPlan,
  target: NativeTarget,
  options: Pick<RotationOptions, "now" | "random" | "callTime">,
): Promise<Outcome> {
  const before = await target.status({ deadline: deadlineOf(options) });
  const ended = endedBefore(plan, before);
  if (ended !== undefined) return ended;
  const id = nativeId(plan, options.random);
  return outcomeOf(await target.rotate(id, { deadline: deadlineOf(options) }), id);
}

function endedBefore({ slot }: RotationPlan, status: NativeStatus): Outcome | undefined {
  if (status.type !== "idle") return outcomeOf(status, "");
  const opened = Date.parse(slot ?? "");
  return status.rotatedAt !== undefined && status.rotatedAt >= opened ? { type: "notDue" } : undefined;
}

function nativeId({ ref, slot }: RotationPlan, random: () => string): string {
  if (slot === undefined) return rotationId(random());
  return rotationId(
    createHash("sha256")
      .update(`${formatRef(ref)} ${slot}`)
      .digest("hex"),
  );
}

function outcomeOf(status: NativeStatus, id: string): Outcome {
  switch (status.type) {
    case "idle":
      return { type: "rotated", id };
    case "running":
      return { type: "later", reason: status.what };
    case "stuck":
      return { type: "stuck", reason: status.what, check: status.hint };
  }
}
