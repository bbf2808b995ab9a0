import { type ConfigPlace, locateConfigs, placeOf } from "../clients/locate.ts";
import type { Context } from "../context.ts";
import { systemCode } from "../errors.ts";
import { listApprovals } from "../launch/approvals.ts";
import { Journal } from "../migrate/journal.ts";

/**
 * Every config that may start something through the launcher: those of known clients, those that migrate was pointed at,
 * and those from which something was approved. Each once; some may be gone.
 */
export function knownConfigs(context: Context): readonly ConfigPlace[] {
  const located = locateConfigs(context);
  const found = new Map<string, ConfigPlace>();
  const add = (place: ConfigPlace) => {
    const path = followed(context, place.path) ?? place.path;
    if (!found.has(path)) found.set(path, place);
  };
  located.forEach(add);
  const { migrations } = new Journal(context.files, context.home).read();
  const migrated = migrations.filter(({ state }) => state !== "restored");
  for (const { config } of [...migrated, ...listApprovals(context)]) add(placeOf(context, config, located));
  return [...found.values()];
}

/** The path with its links followed; undefined where nothing is there. */
export function followed({ files: { realpath } }: Context, path: string): string | undefined {
  try {
    return realpath(path);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
