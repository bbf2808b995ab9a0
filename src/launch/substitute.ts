import { findRefs, type SecretRef } from "../core/ref.ts";
import type { Secret } from "../core/secret.ts";
import { refKey } from "./references.ts";

/** The values of a launch by the key of their reference (`refKey`). */
export type Values = ReadonlyMap<string, Secret>;

/** Stands for a reference while its surroundings are judged: no text of a process can hold it. */
const ATOM = "\0";
/** RFC 3986: scheme, then what is up to the first character that cannot stand in a URL as people write it. */
const URL_TEXT = /[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s"'`<>]*/g;

/** A part of a text: UTF-16 offsets, end exclusive. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * `text` with each reference replaced by its value: percent-encoded in the user-info or the query of a URL, unless the
 * reference says `~raw`; as it is elsewhere. References count as one unit when that is decided, so that neither their
 * scheme nor their `/` and `#` are taken for those of the URL around them.
 * @throws Error where a value is missing (a bug of the caller)
 */
export function substitute(text: string, values: Values): string {
  const found = findRefs(text);
  if (found.length === 0) return text;
  const encoded = encodedPlaces(text, found);
  let result = "";
  let done = 0;
  for (const [index, { ref, start, end }] of found.entries()) {
    const value = valueOf(values, ref);
    const encodes = encoded[index] === true && ref.raw !== true;
    result += text.slice(done, start) + (encodes ? encodeURIComponent(value) : value);
    done = end;
  }
  return result + text.slice(done);
}

/** For each of `spans`, in their order in `text`: whether it stands in the user-info or the query of a URL. */
export function encodedPlaces(text: string, spans: readonly Span[]): boolean[] {
  return placesOf(atoms(text, spans));
}

function valueOf(values: Values, ref: SecretRef): string {
  const value = values.get(refKey(ref));
  if (value === undefined) throw new Error(`no value was resolved for ${refKey(ref)}`);
  return value.expose();
}

function atoms(text: string, spans: readonly Span[]): string {
  let result = "";
  let done = 0;
  for (const { start, end } of spans) {
    result += text.slice(done, start) + ATOM;
    done = end;
  }
  return result + text.slice(done);
}

function placesOf(text: string): boolean[] {
  const encoded = new Set<number>();
  for (const match of text.matchAll(URL_TEXT)) {
    const url = match[0];
    for (let at = url.indexOf(ATOM); at >= 0; at = url.indexOf(ATOM, at + 1)) {
      if (inUserInfo(url, at) || inQuery(url, at)) encoded.add(match.index + at);
    }
  }
  const places: boolean[] = [];
  for (let at = text.indexOf(ATOM); at >= 0; at = text.indexOf(ATOM, at + 1)) places.push(encoded.has(at));
  return places;
}

/** RFC 3986 section 3.2: the authority ends at the first `/`, `?` or `#`; its last `@` ends the user-info. */
function inUserInfo(url: string, at: number): boolean {
  const authority = url.slice(url.indexOf("://") + 3);
  const end = authority.search(/[/?#]/);
  const host = (end < 0 ? authority : authority.slice(0, end)).lastIndexOf("@");
  return host >= 0 && at < url.length - authority.length + host;
}

function inQuery(url: string, at: number): boolean {
  const before = url.slice(0, at);
  return before.includes("?") && !before.includes("#");
}
