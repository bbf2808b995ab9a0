import { fieldOf, type SecretRef, parseRef, refName } from "../core/ref.ts";
import { changeNotes, isObject, type NoteKind, type NotePlace, type Notes, readNotes } from "./notes.ts";

/**
 * Which values ought to be dead: those that stood in a plaintext config, and those that were replaced by hand and may
 * still work at their issuer. A mark stays until the secret was rotated, or a person said that the old value is dead.
 */
export interface Mark {
  /** When the value was found in plaintext, or replaced by hand. ISO 8601, UTC. */
  readonly since: string;
  /** The version of the secret in its store that the mark is about; a later one is another value. */
  readonly version?: number;
  /** The configs that held it; none for a value that was never found in one. */
  readonly places: readonly MarkPlace[];
  /** When it was replaced by hand: the store has another value now, and the old one may still work. ISO 8601, UTC. */
  readonly replaced?: string;
  /**
   * How the rotation that replaced it, with `version`, left the old value: it ends with that rotation (`grace`), or goes
   * on until the next one is promoted (`turn`). Absent where a person ends it.
   */
  readonly ending?: "grace" | "turn";
}

export interface MarkPlace {
  /** Absolute. */
  readonly config: string;
  readonly client: string;
  readonly server: string;
}

/** A value that was found, and the version under which the store holds it. */
export interface Exposure {
  readonly ref: SecretRef;
  readonly version?: number;
  readonly places: readonly MarkPlace[];
}

const KIND: NoteKind<Mark> = { name: "exposed", isNote: isMark };

/** By reference, as `refName` writes it. @throws UserError config-invalid */
export function readMarks(place: Pick<NotePlace, "files" | "home">): Notes<Mark> {
  return readNotes(place, KIND);
}

/**
 * Notes that the values were found in plaintext. Durable when it returns; it comes before the plaintext goes, so that no
 * kill in between makes anybody forget.
 */
export async function markExposed(place: NotePlace, found: readonly Exposure[], now: number): Promise<void> {
  if (found.length === 0) return;
  await changeNotes(place, KIND, (marks) => {
    const after = new Map(marks);
    for (const { ref, version, places } of found) {
      const known = after.get(refName(ref));
      const old = known?.replaced === undefined ? known : undefined;
      after.set(refName(ref), {
        since: old?.since ?? new Date(now).toISOString(),
        ...(version === undefined ? {} : { version }),
        places: together(old?.places ?? [], places),
      });
    }
    return after;
  });
}

/** What became of a secret by hand. */
export interface Replacement {
  readonly ref: SecretRef;
  /** Of the store, with the new value. */
  readonly version?: number;
  /** False where the same value was stored again. */
  readonly changed: boolean;
  readonly remind?: boolean;
}

/**
 * A person stored a value: a mark of that field becomes a reminder that the old value may still work, and the other
 * marks of the secret stay what they are. `remind`: also where there was no mark.
 */
export async function markReplaced(
  place: NotePlace,
  { ref, version, changed, remind = false }: Replacement,
  now: number,
): Promise<void> {
  if (!remind && !hasMarks(place, ref)) return;
  const key = refName(ref);
  const at = new Date(now).toISOString();
  const noted = version === undefined ? {} : { version };
  await changeNotes(place, KIND, (marks) => {
    const after = new Map<string, Mark>();
    for (const [text, mark] of marks) after.set(text, sameSecret(text, ref) ? { ...mark, ...noted } : mark);
    const old = after.get(key);
    if (changed && (remind || old !== undefined)) {
      const { ending: _byRotation, ...rest } = { ...old };
      after.set(key, { since: at, places: [], ...rest, ...noted, replaced: at });
    }
    return after;
  });
}

/** What a rotation made of a secret. */
export interface Rotated {
  readonly ref: SecretRef;
  /** Of the store, with the new value. */
  readonly version?: number;
  /** Whether a field has another value than before. */
  readonly isChanged: (field: string) => boolean;
  /** The old value is dead; ends with this rotation; goes on until the next one; or nobody knows. */
  readonly old: "ended" | "grace" | "turn" | "unknown";
  /** True where nothing but the old value itself was ended: one that was replaced before lives on beside the new one. */
  readonly oldAlone: boolean;
}

/** A mark goes when its value is dead, which is not when another one takes its place. */
export async function markRotated(place: NotePlace, rotated: Rotated, now: number): Promise<void> {
  const { ref } = rotated;
  if (!hasMarks(place, ref)) return;
  await changeNotes(place, KIND, (marks) => {
    const after = new Map<string, Mark>();
    for (const [text, mark] of marks) {
      const next = sameSecret(text, ref) ? afterRotation(mark, fieldOf(parseRef(text)), rotated, now) : mark;
      if (next !== undefined) after.set(text, next);
    }
    return after;
  });
}

/** undefined where the mark's value is dead. */
function afterRotation(mark: Mark, field: string, rotated: Rotated, now: number): Mark | undefined {
  const { version, isChanged, old, oldAlone } = rotated;
  const noted = version === undefined ? {} : { version };
  if (!isChanged(field)) return { ...mark, ...noted };
  if (isOver(mark, version, "promoted")) return undefined;
  if (mark.replaced !== undefined && mark.ending === undefined && oldAlone) return { ...mark, ...noted };
  if (old === "ended") return undefined;
  const { ending: _before, ...rest } = mark;
  const replaced = mark.replaced ?? new Date(now).toISOString();
  return { ...rest, ...noted, replaced, ...(old === "unknown" ? {} : { ending: old }) };
}

/**
 * True where a rotation has ended the mark's value since: the one that replaced it is over, or a later one is promoted.
 * @param version the newest that a rotation of the secret has promoted, and how far that rotation is
 */
export function isOver(
  { ending, version: replacedBy }: Mark,
  version: number | undefined,
  how: "promoted" | "over",
): boolean {
  if (ending === undefined || replacedBy === undefined || version === undefined) return false;
  return version > replacedBy || (version === replacedBy && ending === "grace" && how === "over");
}

/** Secrets that lie in another store from now on, with the same values: their marks go with them. */
export async function moveMarks(
  place: NotePlace,
  moves: readonly { readonly from: SecretRef; readonly to: SecretRef }[],
): Promise<void> {
  const moved = moves.filter(({ from }) => hasMarks(place, from));
  if (moved.length === 0) return;
  await changeNotes(place, KIND, (marks) => {
    const after = new Map<string, Mark>();
    for (const [text, mark] of marks) {
      const to = moved.find(({ from }) => sameSecret(text, from))?.to;
      const { version: _ofTheOtherStore, ...rest } = mark;
      if (to === undefined) after.set(text, mark);
      else after.set(refName({ ...parseRef(text), store: to.store, path: to.path }), rest);
    }
    return after;
  });
}

/** Somebody said that the old values of the secret are dead. True where there was a mark. */
export async function clearMarks(place: NotePlace, ref: SecretRef): Promise<boolean> {
  if (!hasMarks(place, ref)) return false;
  await changeNotes(place, KIND, (marks) => new Map([...marks].filter(([text]) => !sameSecret(text, ref))));
  return true;
}

/** True where the mark's value is no longer what the store gives. */
export function isReplaced(mark: Mark, current: number | undefined): boolean {
  if (mark.replaced !== undefined) return true;
  return mark.version !== undefined && current !== undefined && current > mark.version;
}

/** True where a value of the secret ought to be dead. @throws UserError config-invalid */
export function hasMarks(place: Pick<NotePlace, "files" | "home">, ref: SecretRef): boolean {
  return [...readMarks(place).keys()].some((text) => sameSecret(text, ref));
}

function sameSecret(text: string, { store, path }: SecretRef): boolean {
  const other = parseRef(text);
  return other.store === store && other.path === path;
}

function together(known: readonly MarkPlace[], more: readonly MarkPlace[]): readonly MarkPlace[] {
  const byText = new Map(
    [...known, ...more].map((place) => [JSON.stringify([place.config, place.client, place.server]), place]),
  );
  return [...byText.values()];
}

function isMark(value: unknown): value is Mark {
  if (!isObject(value)) return false;
  const { since, version, places, replaced, ending } = value;
  return (
    isTime(since) &&
    (version === undefined || Number.isSafeInteger(version)) &&
    (replaced === undefined || isTime(replaced)) &&
    (ending === undefined || ending === "grace" || ending === "turn") &&
    Array.isArray(places) &&
    places.every(isPlace)
  );
}

function isPlace(value: unknown): value is MarkPlace {
  return isObject(value) && ["config", "client", "server"].every((name) => typeof value[name] === "string");
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}
