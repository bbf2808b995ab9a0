import type { Entry } from "../clients/document.ts";
import { firstFree, serverId } from "./names.ts";
import { unwrap } from "./wrapper.ts";

/** Where an id is approved, and still stands: the path of the config, links followed, and the pointer of the entry. */
export interface IdHome {
  readonly config: string;
  readonly pointer: string;
}

/** A config whose entries are to have ids. */
export interface IdConfig {
  /** Links followed. */
  readonly config: string;
  /** The client part of its ids. */
  readonly client: string;
  readonly entries: readonly Entry[];
}

/**
 * The id of each entry, by pointer: the one it starts under, or one of its own where it has none yet or was copied from
 * another entry, whose id it then has. Two that start under one id would be launched on one word of the user.
 */
export function idsOf(
  { config, client, entries }: IdConfig,
  homeOf: (id: string) => IdHome | undefined,
): ReadonlyMap<string, string> {
  const naturalOf = ({ server }: Entry) => `${client}/${serverId(server)}`;
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  for (const [id, sharing] of byId(entries)) {
    const home = homeOf(id);
    const named = sharing.find((entry) => naturalOf(entry) === id) ?? sharing[0];
    const approved = sharing.find(({ pointer }) => home?.config === config && home.pointer === pointer);
    const owner = home === undefined ? named : approved;
    if (owner !== undefined) ids.set(owner.pointer, id);
    taken.add(id);
  }
  for (const entry of entries) {
    if (ids.has(entry.pointer)) continue;
    const id = firstFree(naturalOf(entry), (candidate) => !taken.has(candidate));
    ids.set(entry.pointer, id);
    taken.add(id);
  }
  return ids;
}

/** The entries that start through the launcher, by the id that they start under. */
function byId(entries: readonly Entry[]): ReadonlyMap<string, readonly Entry[]> {
  const found = new Map<string, Entry[]>();
  for (const entry of entries) {
    const id = unwrap(entry)?.id;
    if (id !== undefined) found.set(id, [...(found.get(id) ?? []), entry]);
  }
  return found;
}
