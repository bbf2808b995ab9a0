import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import type { Provider } from "../core/provider.ts";
import { formatRef } from "../core/ref.ts";
import { told } from "../core/told.ts";
import { UserError } from "../errors.ts";
import type { PlannedSecret } from "../migrate/places.ts";
import type { ConfigPlan } from "../migrate/plan.ts";
import type { ReadConfig } from "../migrate/read.ts";
import { clearMarks } from "../rotate/marks.ts";

/** Of the secrets that were stored for `plans`, those that no config names, for it stayed as it was. */
export function unusedSecrets(
  { files }: Context,
  stored: readonly PlannedSecret[],
  plans: readonly ConfigPlan[],
  configs: readonly ReadConfig[],
): readonly PlannedSecret[] {
  const isOld = ({ path }: ConfigPlan) => {
    const before = configs.find(({ place }) => place.path === path)?.bytes;
    return before !== undefined && files.readIfExists(path)?.equals(before) === true;
  };
  const rewritten = plans.filter((plan) => !isOld(plan));
  const used = new Set(rewritten.flatMap(({ findings }) => findings.map(({ reference }) => reference)));
  return stored.filter(({ ref }) => !used.has(ref));
}

/**
 * Takes away what was stored in vain, in the local store. In a shared one somebody else may have found the value there
 * already and refer to it, so that it is only told.
 */
export async function dropUnused(
  context: Context,
  provider: Provider,
  unused: readonly PlannedSecret[],
): Promise<void> {
  for (const { ref } of unused) {
    const text = formatRef(ref);
    if (ref.store !== "local" || !(await isRemoved(provider, ref.path))) {
      context.terminal.err(told("warning", `${text} was stored, and no config names it`, `mcp-secrets rm ${text}`));
      continue;
    }
    await clearMarks(context, ref);
    appendAudit(context, { event: "removed", outcome: "ok", refs: [text] });
  }
}

/** False where the store does not let go of it, or somebody has replaced its value meanwhile. */
async function isRemoved(provider: Provider, path: string): Promise<boolean> {
  try {
    if ((await provider.describe?.(path))?.version !== 1 || provider.remove === undefined) return false;
    await provider.remove(path);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}
