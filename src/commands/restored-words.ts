import type { ClientRow } from "../clients/table.ts";
import { parseRef, SCHEME } from "../core/ref.ts";
import type { Renewal } from "../launch/approvals.ts";
import { type Destination, movedWords, secretOf } from "../migrate/move.ts";
import { entryWords } from "../migrate/plan.ts";
import type { Restored } from "../migrate/restore.ts";
import { unwrap } from "../migrate/wrapper.ts";

/** A config that is restored: its path, links followed, its bytes now, and what they become. */
interface RestoredConfig {
  readonly config: string;
  readonly current: Buffer;
  readonly undone?: Restored;
}

/**
 * The entries that go back to another store, and nothing else changes in them: the user's word for them goes with them,
 * as it came.
 */
export function restoredWords({ format, keyPath }: ClientRow, { config, current, undone }: RestoredConfig): Renewal[] {
  if (undone === undefined) return [];
  const destinations = destinationsOf(undone.secrets);
  if (destinations.size === 0) return [];
  const now = new Map(format.parse(current, keyPath).entries.map((entry) => [entry.server, entry]));
  return format.parse(undone.bytes, keyPath).entries.flatMap((entry): Renewal[] => {
    const [id, before] = [unwrap(entry)?.id, now.get(entry.server)];
    if (id === undefined || before === undefined || id !== unwrap(before)?.id) return [];
    const [old, restored] = [entryWords(before), entryWords(entry)];
    if (JSON.stringify(movedWords(old, destinations)) !== JSON.stringify(restored)) return [];
    const place = { id, config, pointer: entry.pointer };
    return [{ before: { ...place, ...old }, after: { ...place, ...restored } }];
  });
}

/** The ids under which entries of a config start through the launcher: the others need nobody's word any more. */
export function startedIds({ format, keyPath }: ClientRow, bytes: Buffer): ReadonlySet<string> {
  return new Set(format.parse(bytes, keyPath).entries.flatMap((entry) => unwrap(entry)?.id ?? []));
}

function destinationsOf(secrets: Restored["secrets"]): ReadonlyMap<string, Destination> {
  const references = [...secrets].filter(([text, was]) => was.startsWith(SCHEME) && was !== text);
  return new Map(references.map(([text, was]) => [secretOf(parseRef(text)), { to: parseRef(was) }]));
}
