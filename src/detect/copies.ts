import type { Entry, TextAt } from "../clients/document.ts";
import { percentDecode } from "../core/url.ts";
import type { Finding } from "./finding.ts";
import { isRandom } from "./formats.ts";
import { outsideReferences } from "./outside-references.ts";

/** An entry and the secrets that were found in it by themselves. */
export interface Searched {
  readonly entry: Entry;
  readonly findings: readonly Finding[];
}

/** A value that was found, as it may be spelled elsewhere. */
interface Needle {
  readonly text: string;
  readonly encoded: boolean;
  readonly of: Finding;
}

const RUN = /[\p{L}\p{N}]+/gu;

/**
 * The copies of secrets that stand where nothing tells of them: in another argument, behind a prefix, in another entry.
 * Only whole tokens, and only of values that nobody writes by chance. In the order of `searched`, without those known.
 */
export function copiesIn(searched: readonly Searched[]): readonly (readonly Finding[])[] {
  const needles = byRun(needlesOf(searched));
  return searched.map(({ entry, findings }) => {
    if (needles.size === 0) return [];
    return textsOf(entry).flatMap(({ place, at }) => {
      const known = findings.filter(({ pointer }) => pointer === at.pointer);
      return copiesAt(at, needles, known).map((copy) => ({ ...copy, server: entry.server, place }));
    });
  });
}

type Place = Finding["place"];

function textsOf({ command, args, env, url, headers }: Entry): { readonly place: Place; readonly at: TextAt }[] {
  const standing = (place: Place, texts: readonly (TextAt | undefined)[]) =>
    texts.flatMap((at) => (at === undefined ? [] : [{ place, at }]));
  return [
    ...standing("arg", [command, ...args]),
    ...standing("env", env),
    ...standing("url", [url]),
    ...standing("header", headers),
  ];
}

function needlesOf(searched: readonly Searched[]): readonly Needle[] {
  const needles = new Map<string, Needle>();
  for (const { entry, findings } of searched) {
    if (findings.length === 0) continue;
    const texts = new Map(textsOf(entry).map(({ at }) => [at.pointer, at.text]));
    for (const of of findings) {
      const found = texts.get(of.pointer)?.slice(of.start, of.end) ?? "";
      const plain = of.encoded ? (percentDecode(found) ?? found) : found;
      if (!isDistinct(plain)) continue;
      for (const text of [found, plain, encodedOf(plain)]) {
        if (!needles.has(text)) needles.set(text, { text, encoded: text !== plain, of });
      }
    }
  }
  return [...needles.values()];
}

/** Not half a character, which has no encoding. */
function encodedOf(text: string): string {
  return /\p{Cs}/u.test(text) ? text : encodeURIComponent(text);
}

/** True for a value that stands in a second place only because somebody copied it. */
function isDistinct(text: string): boolean {
  if (text.length < 8 || text.length > 4096) return false;
  const classes = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}\s]/u].filter((form) => form.test(text)).length;
  if (/^\d{10,}$/.test(text) || isRandom(text)) return true;
  return classes >= 2 && (text.length >= 20 || (classes >= 3 && /\p{N}/u.test(text)));
}

/** Each needle under the run of letters and digits in it that the fewest others have: one search is for all of them. */
function byRun(needles: readonly Needle[]): ReadonlyMap<string, readonly Needle[]> {
  const runs = needles.map(({ text }) => text.match(RUN) ?? []);
  const counts = new Map<string, number>();
  for (const run of runs.flat()) counts.set(run, (counts.get(run) ?? 0) + 1);
  const groups = new Map<string, Needle[]>();
  for (const [index, needle] of needles.entries()) {
    const rarest = (runs[index] ?? []).toSorted((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0))[0];
    if (rarest === undefined) continue;
    const group = groups.get(rarest) ?? [];
    group.push(needle);
    groups.set(rarest, group);
  }
  return groups;
}

type Copy = Omit<Finding, "server" | "place">;

function copiesAt(
  { pointer, text, literal }: TextAt,
  needles: ReadonlyMap<string, readonly Needle[]>,
  known: readonly Finding[],
) {
  const copies: Copy[] = [];
  for (const { 0: run, index } of text.matchAll(RUN)) {
    for (const needle of needles.get(run) ?? []) {
      const start = startOf(needle.text, run, text, index);
      const end = start + needle.text.length;
      if (start < 0 || (literal !== undefined && (start !== 0 || end !== text.length))) continue;
      if ([...known, ...copies].some((other) => start < other.end && other.start < end)) continue;
      copies.push(copyOf(needle, pointer, start, end));
    }
  }
  return outsideReferences(text, copies);
}

/** Where `needle` stands in `text` as a whole token with its `run` at `index`; -1 where it does not. */
function startOf(needle: string, run: string, text: string, index: number): number {
  for (const { 0: own, index: offset } of needle.matchAll(RUN)) {
    const start = index - offset;
    if (own !== run || start < 0 || !text.startsWith(needle, start)) continue;
    if (isApart(text, start) && isApart(text, start + needle.length)) return start;
  }
  return -1;
}

/** True where no letter or digit goes on from one side of `at` to the other. */
function isApart(text: string, at: number): boolean {
  return !/[\p{L}\p{N}]/u.test(text.charAt(at - 1)) || !/[\p{L}\p{N}]/u.test(text.charAt(at));
}

function copyOf({ of, encoded }: Needle, pointer: string, start: number, end: number): Copy {
  const reason = `it is a copy of what stands under ${of.name}`;
  return { pointer, start, end, kind: of.kind, confidence: of.confidence, reason, name: of.name, encoded };
}
