import { join } from "node:path";
import type { Files } from "../core/files.ts";
import type { Lock } from "../core/lock.ts";
import { UserError } from "../errors.ts";

/**
 * What this machine notes about secrets, by reference and never a value: private files below `rotation/` in the home,
 * replaced whole and durable, each written under a lock. What several machines must agree on is in the journal beside
 * the secret instead.
 */
export interface NotePlace {
  readonly files: Files;
  readonly home: string;
  readonly lock: Lock;
}

/** One of the files. */
export interface NoteKind<T> {
  readonly name: string;
  readonly isNote: (value: unknown) => value is T;
}

export type Notes<T> = ReadonlyMap<string, T>;

/** @throws UserError config-invalid where the file is damaged: what it says would be lost by taking it for empty */
export function readNotes<T>({ files, home }: Pick<NotePlace, "files" | "home">, kind: NoteKind<T>): Notes<T> {
  const path = notePath(home, kind.name);
  const bytes = files.readIfExists(path);
  if (bytes === undefined) return new Map();
  const notes = parse(bytes, kind);
  if (notes !== undefined) return notes;
  throw new UserError("config-invalid", `${path} is damaged`, {
    hint: `look into it, then put it aside: mv '${path}' '${path}.damaged'`,
  });
}

/** Replaces the notes by what `change` makes of them; nothing is written where that is the same map. */
export async function changeNotes<T>(
  place: NotePlace,
  kind: NoteKind<T>,
  change: (notes: Notes<T>) => Notes<T>,
): Promise<void> {
  const path = notePath(place.home, kind.name);
  await place.lock(`${path}.lock`, async () => {
    const before = readNotes(place, kind);
    const after = change(before);
    if (after === before) return;
    const text = JSON.stringify({ v: 1, secrets: Object.fromEntries(after) }, undefined, 1);
    await place.files.writePrivate(path, `${text}\n`);
  });
}

export function notePath(home: string, name: string): string {
  return join(home, "rotation", `${name}.json`);
}

function parse<T>(bytes: Buffer, { isNote }: NoteKind<T>): Notes<T> | undefined {
  const value = parseJson(bytes);
  if (!isObject(value) || value["v"] !== 1 || !isObject(value["secrets"])) return undefined;
  const entries = Object.entries(value["secrets"]).flatMap(([ref, note]): [string, T][] =>
    isNote(note) ? [[ref, note]] : [],
  );
  return entries.length === Object.keys(value["secrets"]).length ? new Map(entries) : undefined;
}

function parseJson(bytes: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return value;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
