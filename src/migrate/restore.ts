import type { ConfigDocument, ConfigFormat, Edit, Entry, TextAt } from "../clients/document.ts";
import { SCHEME } from "../core/ref.ts";
import { digest, type Migration } from "./journal.ts";
import { mergeEntry } from "./merge.ts";
import { wordsOf } from "./wrapper.ts";

/** What undoing one migration makes of a config. */
export interface Restored {
  readonly bytes: Buffer;
  /** True where the bytes are exactly those from before the migration. */
  readonly exact: boolean;
  readonly servers: readonly string[];
  /** Entries that stay as they are, each with the reason. */
  readonly refused: readonly { readonly server: string; readonly reason: string }[];
}

export interface RestoreInput {
  readonly migration: Migration;
  /** The config as it is now. */
  readonly current: Buffer;
  /** The config as it was before the migration. */
  readonly original: Buffer;
  readonly format: ConfigFormat;
  readonly keyPath: readonly string[];
  /** Only these servers; all of the migration where absent. */
  readonly servers?: readonly string[];
}

/**
 * Undoes a migration. Nobody changed the file since: the exact bytes. Else a three-way merge: what migrate wrote is
 * taken back, whatever the user wrote since stays, and an entry where both met is left as it is.
 */
export function undo(input: RestoreInput): Restored {
  const { migration, current, original } = input;
  const selected = migration.servers.filter((server) => input.servers?.includes(server) ?? true);
  if (digest(current) === migration.after && selected.length === migration.servers.length) {
    return { bytes: original, exact: true, servers: selected, refused: [] };
  }
  const read = (bytes: Buffer) => entriesOf(input.format.parse(bytes, input.keyPath));
  const before = read(original);
  const written = read(input.format.edit(original, migration.edits));
  const now = read(current);
  const secrets = secretsBehind(migration.edits, before);
  const merges = selected.map((server) => {
    const entries = { before: before.get(server), written: written.get(server), now: now.get(server) };
    return { server, ...mergeEntry(entries, secrets) };
  });
  const good = merges.filter(({ refusal }) => refusal === undefined);
  const edited = input.format.edit(
    current,
    good.flatMap(({ edits }) => edits),
  );
  return {
    bytes: input.format.remove(
      edited,
      good.flatMap(({ removals }) => removals),
    ),
    exact: false,
    servers: good.map(({ server }) => server),
    refused: merges.flatMap(({ server, refusal }) => (refusal === undefined ? [] : [{ server, reason: refusal }])),
  };
}

/** What stood in the config where migrate put a reference, by the reference. */
function secretsBehind(edits: readonly Edit[], before: ReadonlyMap<string, Entry>): ReadonlyMap<string, string> {
  const texts = new Map([...before.values()].flatMap(stringsOf).map(({ pointer, text }) => [pointer, text]));
  return new Map(
    edits.flatMap((edit) => {
      if (edit.type !== "replace" || !edit.text.startsWith(SCHEME)) return [];
      return [[edit.text, texts.get(edit.pointer)?.slice(edit.start, edit.end) ?? edit.text] as const];
    }),
  );
}

function stringsOf(entry: Entry): readonly TextAt[] {
  return [...wordsOf(entry), ...entry.env];
}

function entriesOf(document: ConfigDocument): ReadonlyMap<string, Entry> {
  return new Map(document.entries.map((entry) => [entry.server, entry]));
}
