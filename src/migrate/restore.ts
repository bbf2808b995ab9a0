import type { ConfigDocument, ConfigFormat, Edit, Entry, TextAt } from "../clients/document.ts";
import { SCHEME } from "../core/ref.ts";
import { digest, type Migration } from "./journal.ts";
import { mergeEntry } from "./merge.ts";
import { unwrap, wordsOf } from "./wrapper.ts";

/** What undoing one migration makes of a config. */
export interface Restored {
  readonly bytes: Buffer;
  /** True where the bytes are exactly those from before the migration. */
  readonly exact: boolean;
  readonly servers: readonly string[];
  /** Servers that are in the config no more, under no name. */
  readonly gone: readonly string[];
  /** What stood behind each reference that migrate wrote: a value, or the reference that comes back. */
  readonly secrets: ReadonlyMap<string, string>;
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
  const { migration, current, original, format } = input;
  const selected = migration.servers.filter((server) => input.servers?.includes(server) ?? true);
  const read = (bytes: Buffer) => entriesOf(format.parse(bytes, input.keyPath));
  const before = read(original);
  const secrets = secretsBehind(migration.edits, before);
  const whole = selected.length === migration.servers.length;
  // A client may have written its old copy back: then there is nothing left to undo.
  if (whole && [migration.after, migration.before].includes(digest(current))) {
    return { bytes: original, exact: true, servers: selected, gone: [], secrets, refused: [] };
  }
  const written = read(format.edit(original, migration.edits));
  const now = read(current);
  const merges = selected.flatMap((server) => {
    const entries = { before: before.get(server), written: written.get(server) };
    return placesNow(now, entries.written, server).map((entry) => {
      return { server, merge: mergeEntry({ ...entries, now: entry }, secrets) };
    });
  });
  const good = merges.flatMap(({ merge }) => (merge.refusal === undefined ? [merge] : []));
  const edited = format.edit(
    current,
    good.flatMap(({ edits }) => edits),
  );
  const refused = merges.flatMap(({ server, merge }) => {
    return merge.refusal === undefined ? [] : [{ server, reason: merge.refusal }];
  });
  const found = new Set(merges.map(({ server }) => server));
  return {
    bytes: format.remove(
      edited,
      good.flatMap(({ removals }) => removals),
    ),
    exact: false,
    servers: [...found].filter((server) => !refused.some((entry) => entry.server === server)),
    gone: selected.filter((server) => !found.has(server)),
    secrets,
    refused,
  };
}

/** Undoes the migrations of one config, given newest first with what was there before each. */
export function undoAll(
  steps: readonly Pick<RestoreInput, "migration" | "original">[],
  rest: Omit<RestoreInput, "migration" | "original">,
): Restored {
  let all: Restored = { bytes: rest.current, exact: true, servers: [], gone: [], secrets: new Map(), refused: [] };
  for (const step of steps) {
    const one = undo({ ...rest, ...step, current: all.bytes });
    const servers = [...new Set([...all.servers, ...one.servers])];
    all = {
      bytes: one.bytes,
      exact: all.exact && one.exact,
      servers,
      gone: [...new Set([...all.gone, ...one.gone])].filter((server) => !servers.includes(server)),
      secrets: through(all.secrets, one.secrets),
      refused: [...all.refused, ...one.refused],
    };
  }
  return all;
}

/** What stood behind the references of both: a secret that moved between stores has a reference behind its reference. */
function through(later: Restored["secrets"], earlier: Restored["secrets"]): Restored["secrets"] {
  const followed = [...later].map(([text, was]) => [text, earlier.get(was) ?? was] as const);
  return new Map([...followed, ...earlier]);
}

/** The entry under its name, and under other names: a server that was renamed or copied keeps its id. */
function placesNow(now: ReadonlyMap<string, Entry>, written: Entry | undefined, server: string): Entry[] {
  const id = written === undefined ? undefined : unwrap(written)?.id;
  return [...now.values()].filter((entry) => {
    return entry.server === server || (id !== undefined && unwrap(entry)?.id === id);
  });
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
