import { connectionHits } from "./connections.ts";
import { findFormats } from "./formats.ts";
import { disjoint, shifted } from "./hit.ts";
import type { Hit } from "./hit.ts";
import { describes, meaningOf } from "./names.ts";
import { isReference } from "./references.ts";
import { urlHits } from "./urls.ts";
import { looksMinted, namedSecret } from "./value.ts";

/** Longer texts are searched up to here only; a text that is a secret as a whole is found at any length. */
const MOST_SEARCHED = 32_768;

/** `"name": "value"` in JSON that stands in a string. */
const MEMBER = /"((?:[^"\\]|\\.){1,200})"\s*:\s*"((?:[^"\\]|\\.)*)"/g;

/** `Name: value`, as a header is written on a command line. */
const HEADER = /^\s*([A-Za-z][\w-]{0,100})\s*:\s*(?=\S)/;

/** The secrets in a value that stands under a name: a variable, a flag, a header, a member. */
export function valueHits(name: string, text: string): Hit[] {
  const structured = structuredHits(text);
  if (structured.length > 0) return structured;
  const named = namedSecret(name, text);
  if (named !== undefined) return [named];
  const formatted = formatHits(text, name);
  return formatted.length > 0 || describes(name) ? formatted : mintedHits(text, name);
}

/** The secrets in a text that no name tells of. */
export function textHits(text: string): Hit[] {
  const structured = structuredHits(text);
  if (structured.length > 0) return structured;
  const formatted = formatHits(text, undefined);
  return formatted.length > 0 ? formatted : mintedHits(text, undefined);
}

/** The secret in `Name: value`, where the name is one of a header that carries one. */
export function headerHits(text: string): Hit[] {
  const match = HEADER.exec(text.slice(0, 200));
  const name = match?.[1];
  if (match === null || name === undefined) return [];
  return shifted(valueHits(name, text.slice(match[0].length)), match[0].length);
}

/** The parts of a text that has a form of its own: URLs, connection strings, JSON, a header. */
function structuredHits(whole: string): Hit[] {
  const text = whole.slice(0, MOST_SEARCHED);
  const urls = text.includes("://") ? urlHits(text) : [];
  const connections = text.includes("=") || text.includes("@") ? connectionHits(text) : [];
  return disjoint([...memberHits(text), ...urls, ...connections, ...lineHits(text)]);
}

function memberHits(text: string): Hit[] {
  if (!/^\s*[[{]/.test(text) || (!text.includes('":') && !text.includes('" :'))) return [];
  return [...text.matchAll(MEMBER)].flatMap((match) => {
    const [pair, name = "", value = ""] = match;
    return shifted(valueHits(name, value), match.index + pair.length - 1 - value.length);
  });
}

/** A whole header in a value, as in `HEADERS="X-API-Key: …"`. */
function lineHits(text: string): Hit[] {
  const name = HEADER.exec(text.slice(0, 200))?.[1] ?? "";
  const meaning = name.includes("-") || name.toLowerCase() === "authorization" ? meaningOf(name) : "none";
  return meaning === "none" ? [] : headerHits(text);
}

function formatHits(whole: string, name: string | undefined): Hit[] {
  const found = findFormats(whole.slice(0, MOST_SEARCHED));
  if (found.length === 0 || isReference(whole)) return [];
  return disjoint(
    found.map((match) => {
      const reason = `it has the format of a ${match.kind.replaceAll("-", " ")}`;
      return { ...match, confidence: "high", reason, name: name ?? match.kind, encoded: false };
    }),
  );
}

function mintedHits(text: string, name: string | undefined): Hit[] {
  if (!looksMinted(text)) return [];
  const reason = "it is long and random";
  return [
    { start: 0, end: text.length, kind: "token", confidence: "medium", reason, name: name ?? "token", encoded: false },
  ];
}
