import { type ConfigPlace, locateConfigs, placeOf } from "../clients/locate.ts";
import type { Context } from "../context.ts";
import { UserError } from "../errors.ts";
import { entryIds, type Migration } from "../migrate/journal.ts";
import { followed } from "./known-configs.ts";
import { startedIds } from "./restored-words.ts";

/** A config that comes back: where it is written, and what is undone. */
export interface RestoreTarget {
  readonly place: ConfigPlace;
  /** Links followed. */
  readonly config: string;
  /** Oldest first; none where the config was restored already. */
  readonly migrations: readonly Migration[];
  /** Where it was when migrate rewrote it, if that is somewhere else. */
  readonly was?: string;
  /** True where the user named it: a file that is gone is made again then. */
  readonly named: boolean;
}

/**
 * What `restore` is about: the configs named, or all that were rewritten and not restored since.
 * @throws UserError usage for a config that migrate never rewrote
 */
export function restoreTargets(
  context: Context,
  migrations: readonly Migration[],
  named: readonly string[] | undefined,
): readonly RestoreTarget[] {
  const located = locateConfigs(context);
  const open = migrations.filter(({ state }) => state !== "restored");
  if (named !== undefined) {
    const targets = named.map((path) => namedTarget(context, path, { migrations, located }));
    return [...new Map(targets.map((target) => [target.config, target])).values()];
  }
  return [...new Set(open.map(({ config }) => config))].map((config) => ({
    place: placeOf(context, config, located),
    config,
    migrations: open.filter((migration) => migration.config === config),
    named: false,
  }));
}

/** @throws UserError usage where none of the targets has a server of that name */
export function checkServers(targets: readonly RestoreTarget[], servers: readonly string[] = []): void {
  const known = new Set(targets.flatMap(({ migrations }) => migrations.flatMap((migration) => migration.servers)));
  const missing = servers.find((server) => !known.has(server));
  if (missing === undefined || known.size === 0) return;
  throw new UserError("usage", `nothing is to be restored of a server ${missing}`, {
    hint: "mcp-secrets restore --list",
  });
}

interface Known {
  readonly migrations: readonly Migration[];
  readonly located: readonly ConfigPlace[];
}

function namedTarget(context: Context, path: string, { migrations, located }: Known): RestoreTarget {
  const place = placeOf(context, path, located);
  const config = followed(context, place.path) ?? place.path;
  const target = { place, config, named: true };
  const here = migrations.filter((migration) => migration.config === config);
  const open = here.filter(({ state }) => state !== "restored");
  if (open.length > 0) return { ...target, migrations: open };
  const moved = movedFrom(startedNow(context, place), migrations);
  if (moved.length > 0) return { ...target, migrations: moved, was: moved[0]?.config ?? "" };
  if (here.length > 0) return { ...target, migrations: [] };
  throw new UserError("usage", `${path} was not rewritten by migrate`, { hint: "mcp-secrets restore --list" });
}

/** The ids under which the entries of a config start; none where it cannot be read. */
function startedNow({ files }: Context, { path, row }: ConfigPlace): ReadonlySet<string> {
  const bytes = files.look(path) === undefined ? undefined : files.readIfExists(path);
  try {
    return bytes === undefined ? new Set() : startedIds(row, bytes);
  } catch (error) {
    if (error instanceof UserError) return new Set();
    throw error;
  }
}

/** The open migrations of the config whose entries have most of `ids`: it was moved from there, or copied. */
function movedFrom(ids: ReadonlySet<string>, migrations: readonly Migration[]): readonly Migration[] {
  const open = migrations.filter(({ state }) => state !== "restored");
  const shared = (config: string) => {
    const own = new Set(open.filter((one) => one.config === config).flatMap(entryIds));
    return [...own].filter((id) => ids.has(id)).length;
  };
  const [best] = [...new Set(open.map(({ config }) => config))]
    .map((config) => ({ config, count: shared(config) }))
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count);
  return open.filter(({ config }) => config === best?.config);
}
