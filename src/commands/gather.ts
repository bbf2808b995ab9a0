import { type ConfigPlace, locateConfigs, placeOf } from "../clients/locate.ts";
import type { Context } from "../context.ts";
import { UserError } from "../errors.ts";
import { type ReadConfig, readConfig } from "../migrate/read.ts";

/** Which configs and servers a command is about: all that are found where nothing is named. */
export interface Selection {
  readonly config?: readonly string[];
  readonly client?: readonly string[];
  readonly server?: readonly string[];
}

export interface Gathered {
  readonly configs: readonly ReadConfig[];
  readonly failures: readonly { readonly place: ConfigPlace; readonly error: UserError }[];
}

/** Reads the selected configs; one that cannot be read does not stop the others. */
export function gather(context: Context, selection: Selection): Gathered {
  const configs: ReadConfig[] = [];
  const failures: { place: ConfigPlace; error: UserError }[] = [];
  for (const place of select(context, selection)) {
    try {
      configs.push(readConfig(place, selection.server, context.files));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      failures.push({ place, error });
    }
  }
  return { configs, failures };
}

function select(context: Context, { config, client }: Selection): readonly ConfigPlace[] {
  if (config !== undefined) return config.map((path) => placeOf(context, path));
  const found = locateConfigs(context);
  return client === undefined ? found : found.filter((place) => client.includes(place.row.id));
}
