import { type ConfigPlace, locateConfigs, placeOf } from "../clients/locate.ts";
import { clients } from "../clients/table.ts";
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
  checkServers(configs, failures.length, selection.server);
  return { configs, failures };
}

/** A server that is nowhere is a mistake of the user, not a clean bill. */
function checkServers(configs: readonly ReadConfig[], failures: number, servers: readonly string[] = []): void {
  const known = new Set(
    configs.flatMap(({ document }) => [...document.entries, ...document.problems]).map(({ server }) => server),
  );
  const missing = servers.find((server) => !known.has(server));
  if (missing === undefined || failures > 0) return;
  throw new UserError("usage", `no config has a server ${missing}`, { hint: "mcp-secrets scan lists the configs" });
}

function select(context: Context, { config, client }: Selection): readonly ConfigPlace[] {
  if (config !== undefined) {
    const located = config.length === 0 ? [] : locateConfigs(context);
    return [
      ...new Map(config.map((path) => placeOf(context, path, located)).map((place) => [place.path, place])).values(),
    ];
  }
  const unknown = client?.find((id) => !clients.some((row) => row.id === id));
  if (unknown !== undefined) {
    throw new UserError("usage", `there is no client ${unknown}`, {
      hint: `clients: ${clients.map(({ id }) => id).join(", ")}; any other config: --config FILE`,
    });
  }
  const found = locateConfigs(context);
  return client === undefined ? found : found.filter((place) => client.includes(place.row.id));
}
