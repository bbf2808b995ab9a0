import type { Edit, Entry, NamedText, TextAt } from "../clients/document.ts";
import { findRefs, formatRef, SCHEME } from "../core/ref.ts";
import { unwrap, wordsOf } from "./wrapper.ts";

/** What takes back in one entry what migrate wrote there. */
export interface Merge {
  readonly edits: readonly Edit[];
  /** Pointers of what goes, after the edits. */
  readonly removals: readonly string[];
  readonly refusal?: string;
}

/** One entry before migrate, as migrate wrote it, and now. */
interface ThreeEntries {
  readonly before: Entry | undefined;
  readonly written: Entry | undefined;
  readonly now: Entry;
}

const NOTHING: Merge = { edits: [], removals: [] };

/**
 * Three-way merge of an entry: what stands as migrate wrote it becomes what it was, and what the user wrote since stays.
 * `secrets` is what stood behind each reference.
 */
export function mergeEntry({ before, written, now }: ThreeEntries, secrets: ReadonlyMap<string, string>): Merge {
  if (before === undefined || written === undefined || sameTexts(before, now)) return NOTHING;
  const wrappedNow = unwrap(now);
  const undoWrap = unwrap(before) === undefined && wrappedNow !== undefined;
  const words = mergeWords(wordsOf(before), wordsOf(written), wordsOf(now), secrets);
  const env = mergeEnv(before.env, written.env, now.env, secrets);
  if (words.lost) return { ...NOTHING, refusal: "an argument whose secret had moved to a variable was changed since" };
  if (undoWrap && (words.strange || env.strange)) {
    return { ...NOTHING, refusal: "it holds references that were added since, and needs the launcher for them" };
  }
  const edits = [...words.edits, ...env.edits];
  if (!undoWrap) return { edits, removals: env.removals };
  const taken = takeOff(now, wrappedNow.command, words.texts[0] ?? wrappedNow.command.text, before);
  return {
    // The command's own word leaves the arguments, so that an edit of it there would be lost work.
    edits: [...edits.filter(({ pointer }) => pointer !== wrappedNow.command.pointer), ...taken.edits],
    removals: [...env.removals, ...taken.removals],
  };
}

/** True for an entry that is what it was: a client wrote its old copy back, or the user did. */
function sameTexts(before: Entry, now: Entry): boolean {
  const texts = (entry: Entry) =>
    JSON.stringify([wordsOf(entry), entry.env].map((list) => list.map(({ text }) => text)));
  return texts(before) === texts(now);
}

/** The launcher's words go; the command is the server's own again. */
function takeOff(now: Entry, server: TextAt, command: string, before: Entry): Merge {
  const ours = now.args.findIndex(({ pointer }) => pointer === server.pointer) + 1;
  const nothingLeft = ours === now.args.length && before.args.length === 0;
  return {
    edits: now.command === undefined ? [] : [whole(now.command, command)],
    removals: nothingLeft ? [`${now.pointer}/args`] : now.args.slice(0, ours).map(({ pointer }) => pointer),
  };
}

interface MergedTexts {
  readonly edits: readonly Edit[];
  readonly texts: readonly string[];
  /** True where a text holds references that migrate did not write. */
  readonly strange: boolean;
}

function mergeWords(
  before: readonly TextAt[],
  written: readonly TextAt[],
  now: readonly TextAt[],
  secrets: ReadonlyMap<string, string>,
): MergedTexts & { readonly lost: boolean } {
  const was = new Map(written.map((word, index) => [word.text, before[index] ?? word]));
  const there = new Set(now.map(({ text }) => text));
  const lost = written.some(({ text }, index) => moved(text, before[index]?.text) && !there.has(text));
  return { ...mergeTexts(now, ({ text }) => was.get(text), secrets), lost };
}

function mergeEnv(
  before: readonly NamedText[],
  written: readonly NamedText[],
  now: readonly NamedText[],
  secrets: ReadonlyMap<string, string>,
): MergedTexts & { readonly removals: readonly string[] } {
  const textIn = (list: readonly NamedText[], name: string) => list.find((variable) => variable.name === name)?.text;
  const added = now.filter(({ name, text }) => textIn(before, name) === undefined && textIn(written, name) === text);
  const kept = now.filter((variable) => !added.includes(variable));
  const wasIn = ({ name, text }: NamedText) =>
    text === textIn(written, name) ? before.find((variable) => variable.name === name) : undefined;
  return { ...mergeTexts(kept, wasIn, secrets), removals: removalsOf(added, before, now) };
}

/** All of an `env` that migrate has made goes; else the variables that it added. */
function removalsOf(added: readonly NamedText[], before: readonly NamedText[], now: readonly NamedText[]): string[] {
  const first = added[0];
  if (first === undefined) return [];
  const all = before.length === 0 && added.length === now.length;
  return all ? [first.pointer.slice(0, first.pointer.lastIndexOf("/"))] : added.map(({ pointer }) => pointer);
}

/** `was` tells what a text was, where it stands as migrate wrote it; in any other, references become values again. */
function mergeTexts<Place extends TextAt>(
  places: readonly Place[],
  was: (place: Place) => TextAt | undefined,
  secrets: ReadonlyMap<string, string>,
): MergedTexts {
  const merged = places.map((place) => {
    const before = was(place);
    return { place, text: before?.text ?? revealed(place.text, secrets), literal: before?.literal };
  });
  return {
    texts: merged.map(({ text }) => text),
    edits: merged
      .filter(({ place, text }) => text !== place.text)
      .map(({ place, text, literal }) => whole(place, literal ?? text, literal !== undefined)),
    strange: merged.some(({ place, text }) => was(place) === undefined && text.includes(SCHEME)),
  };
}

/** True for a word that lost its secret to a variable: it holds no reference, and is not what it was. */
function moved(written: string, before: string | undefined): boolean {
  return written !== before && findRefs(written).length === 0;
}

function revealed(text: string, secrets: ReadonlyMap<string, string>): string {
  let after = "";
  let done = 0;
  for (const { ref, start, end } of findRefs(text)) {
    after += text.slice(done, start) + (secrets.get(formatRef(ref)) ?? text.slice(start, end));
    done = end;
  }
  return after + text.slice(done);
}

function whole(place: TextAt, text: string, literal = false): Edit {
  const { pointer } = place;
  return { type: "replace", pointer, start: 0, end: place.text.length, text, ...(literal && { literal }) };
}
