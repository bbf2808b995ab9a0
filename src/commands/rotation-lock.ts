import { join } from "node:path";
import type { Context } from "../context.ts";
import { UserError } from "../errors.ts";

/** One run at a time on this machine; several machines meet in the journal of each secret. Nobody is asked under it. */

/** Milliseconds that a person waits for a run that is under way. */
const PATIENCE = 60_000;
/** Longer than any run should take, so that it hangs, or was stopped: nothing is rotated then. Milliseconds. */
const TOO_LONG = 1_800_000;

/** @throws UserError locked; else what `work` throws */
export function underRotationLock<T>(context: Context, work: () => Promise<T>, patience = PATIENCE): Promise<T> {
  return context.lock(pathOf(context), work, patience);
}

/** What to tell where one run has kept all others out for too long; undefined where none has. */
export function heldTooLong(context: Context): UserError | undefined {
  const path = pathOf(context);
  const holder = context.lockHolder(path);
  if (holder === undefined || context.now() - holder.since < TOO_LONG) return undefined;
  const { pid, host, since } = holder;
  const elsewhere = context.stateOf(holder) === "unknown";
  const who = elsewhere ? `process ${pid} on ${host.split(" ")[0] ?? "another host"}` : `process ${pid}`;
  return new UserError("locked", `nothing is rotated: ${who} has been at it since ${new Date(since).toISOString()}`, {
    hint: elsewhere
      ? `if that process is gone, remove ${path}`
      : `ps -p ${pid}, and end it where it hangs: kill ${pid}`,
  });
}

function pathOf({ home }: Context): string {
  return join(home, "rotation", "rotate.lock");
}
