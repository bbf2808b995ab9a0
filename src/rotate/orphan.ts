import type { Fields } from "../core/provider.ts";
import { UserError } from "../errors.ts";
import { deadlineOf } from "./claim.ts";
import { requestOf } from "./effects.ts";
import type { Run } from "./hold.ts";
import { readJournal, sameFields } from "./journal.ts";

/**
 * What a run leaves at the target that was paused for longer than its claim, and whose rotation others ended meanwhile.
 * Their word stands: what it made is ended, unless it is what they use too. Best effort.
 * @returns true where the secret's value no longer works and nobody is at it: it is to be rotated anew, under a claim
 */
export async function dropOrphan(run: Run): Promise<boolean> {
  const { target } = run.options;
  const orphan = target.kind === "mint" ? run.made : run.inForce;
  if (orphan === undefined || target.kind === "human") return false;
  try {
    const left = await leftBy(run, orphan);
    if (left === undefined) return false;
    const request = { ...requestOf(run), current: left.stored };
    // By its own value, not by the id: another run may have made one of that id since.
    if (target.class === "O") await target.retire(orphan, request);
    if (!left.idle || target.kind === "mint") return false;
    return (await target.test(left.stored, request)).type === "rejected";
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

interface Left {
  readonly stored: Fields;
  readonly idle: boolean;
}

/** What the secret holds; undefined where the orphan is none. The write that lost may have been done after all. */
async function leftBy({ plan, options }: Run, orphan: Fields): Promise<Left | undefined> {
  const { provider } = options;
  const request = { deadline: deadlineOf(options) };
  const found = await readJournal({ provider, ref: plan.ref }, request);
  const secret = await provider.read(plan.ref.path, request);
  if (found.type === "damaged" || secret === undefined) return undefined;
  const { candidate, current, previous } = found.type === "none" ? {} : found.values;
  // Once it is over, what was valid before is no use to anybody.
  const idle = found.type === "none" || found.state.phase === "idle";
  const used = [secret.fields, ...(idle ? [] : [candidate, current, previous])];
  return used.some((fields) => sameFields(fields, orphan)) ? undefined : { stored: secret.fields, idle };
}
