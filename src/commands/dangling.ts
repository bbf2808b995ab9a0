import type { Context } from "../context.ts";
import { fieldOf, parseRef, refName, type SecretRef } from "../core/ref.ts";
import { told } from "../core/told.ts";
import { UserError } from "../errors.ts";
import { type ConfigPlan, namedRefs } from "../migrate/plan.ts";
import { openStore } from "../stores.ts";

/** Warns of references that somebody wrote into an entry and that lead nowhere: what starts with them fails. */
export async function tellDangling(context: Context, plans: readonly ConfigPlan[]): Promise<void> {
  for (const { moves = [], entries } of plans) {
    // Their secrets come there with the move.
    const coming = new Set(moves.flatMap(({ to }) => (to === undefined ? [] : [refName(to)])));
    for (const entry of entries) {
      for (const text of namedRefs(entry).filter((ref) => !coming.has(ref))) {
        const wrong = await problemOf(context, parseRef(text), text);
        if (wrong !== undefined) context.terminal.err(told("warning", `${entry.server}: ${wrong.message}`, wrong.hint));
      }
    }
  }
}

/** As far as it can be told without asking a vault, which might make a credential for it. */
async function problemOf(context: Context, ref: SecretRef, text: string): Promise<UserError | undefined> {
  try {
    const provider = await openStore(context, ref.store);
    if (ref.store !== "local") return undefined;
    const summary = await provider.describe?.(ref.path);
    if (summary?.fields.includes(fieldOf(ref)) === true) return undefined;
    return new UserError("secret-not-found", `there is no secret ${text}`, { hint: `mcp-secrets set ${text}` });
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}
