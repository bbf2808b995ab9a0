import { type ConfigPlace, locateConfigs, placeOf } from "../clients/locate.ts";
import type { Context } from "../context.ts";
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
    const path = real(context, place.path);
    if (!found.has(path)) found.set(path, place);
  };
  located.forEach(add);
  const migrated = new Journal(context.files, context.home).read().migrations.filter(({ state }) => state === "done");
  const approved = listApprovals(context);
  for (const { config } of [...migrated, ...approved]) add(placeOf(context, config, located));
  return [...found.values()];
}

function real({ files }: Context, path: string): string {
  return files.look(path) === undefined ? path : files.realpath(path);
}
