import { connectionHits } from "./connections.ts";
import { findFormats } from "./formats.ts";
import { disjoint, shifted } from "./hit.ts";
import type { Hit } from "./hit.ts";
import { headerMembers, jsonMembers, lineMembers } from "./members.ts";
import type { Member } from "./members.ts";
import { describes, isPublicName, meaningOf } from "./names.ts";
import { pairPassword } from "./pairs.ts";
import { isReference } from "./references.ts";
import { urlHits } from "./urls.ts";
import { looksMinted, namedSecret, schemeSecret } from "./value.ts";

/** Longer texts are searched up to here only; a text that is a secret as a whole is found at any length. */
const MOST_SEARCHED = 32_768;

/** `Name: value` or `Name=value`, as a header is written on a command line. */
const HEADER = /^\s*["']?([A-Za-z][\w-]{0,100})\s*[:=]\s*(?=\S)/;

/** A name whose value is a header, or several. */
const HEADERS = /(?:^|[^a-z])(?:headers?|HEADERS?)$|Headers?$/;

/** The secrets in a value that stands under a name: a variable, a flag, a header, a member. */
export function valueHits(name: string, text: string): Hit[] {
  const structured = structuredHits(text);
  if (structured.length > 0) return structured;
  if (HEADERS.test(name.slice(-60))) {
    const headers = headerHits(text);
    if (headers.length > 0) return headers;
  }
  const named = pairHit(name, text) ?? namedSecret(name, text);
  if (named !== undefined) return [named];
  const formatted = formatHits(text, name);
  return formatted.length > 0 || describes(name) ? formatted : mintedHits(text, name);
}

/** The secrets in a text that no name tells of. */
export function textHits(text: string): Hit[] {
  const structured = structuredHits(text);
  if (structured.length > 0) return structured;
  const formatted = formatHits(text, undefined);
  if (formatted.length > 0) return formatted;
  const credentials = schemeSecret(text);
  return credentials === undefined ? mintedHits(text, undefined) : [credentials];
}

/** The secrets in `Name: value` or `Name=value`, one or several, where the name is one of a header that carries one. */
export function headerHits(text: string): Hit[] {
  const json = memberHits(jsonMembers(text.slice(0, MOST_SEARCHED)));
  if (json.length > 0) return json;
  const several = headerMembers(text.slice(0, MOST_SEARCHED));
  if (several.length > 1 && several.every(({ name }) => isHeaderName(name))) return memberHits(several);
  const match = HEADER.exec(text.slice(0, 200));
  const name = match?.[1];
  if (match === null || name === undefined) return [];
  return shifted(valueHits(name, text.slice(match[0].length)), match[0].length);
}

/** A cookie and base64 hold `=` too, so the names of a list must be known ones or look like headers. */
function isHeaderName(name: string): boolean {
  return name.includes("-") || meaningOf(name) !== "none" || /^(?:accept|cookie|host|origin|user|team)$/i.test(name);
}

/** The parts of a text that has a form of its own: URLs, connection strings, JSON, lines of a file, a header. */
function structuredHits(whole: string): Hit[] {
  const text = whole.slice(0, MOST_SEARCHED);
  const urls = text.includes("://") ? urlHits(text) : [];
  const connections = text.includes("=") || text.includes("@") ? connectionHits(text) : [];
  const members = memberHits([...jsonMembers(text), ...lineMembers(text)]);
  return disjoint([...members, ...urls, ...connections, ...lineHits(text)]);
}

function memberHits(members: readonly Member[]): Hit[] {
  return members.flatMap(({ name, value, start }) => shifted(valueHits(name, value), start));
}

/** A whole header in a value, as in `HEADERS="X-API-Key: …"`. */
function lineHits(text: string): Hit[] {
  const name = /^\s*([A-Za-z][\w-]{0,100})\s*:\s*(?=\S)/.exec(text.slice(0, 200))?.[1] ?? "";
  const meaning = name.includes("-") || name.toLowerCase() === "authorization" ? meaningOf(name) : "none";
  return meaning === "none" ? [] : headerHits(text);
}

function pairHit(name: string, text: string): Hit | undefined {
  const password = pairPassword(name, text);
  if (password === undefined) return undefined;
  const reason = "it stands after a user";
  // A flag of one letter says nothing.
  const noun = /^-\w$/.test(name) ? "password" : name;
  return { ...password, kind: "password", confidence: "high", reason, name: noun, encoded: false };
}

function formatHits(whole: string, name: string | undefined): Hit[] {
  const found = findFormats(whole.slice(0, MOST_SEARCHED));
  if (found.length === 0 || isReference(whole)) return [];
  const secret = name !== undefined && isPublicName(name) ? found.filter(({ kind }) => !PUBLIC_KINDS.has(kind)) : found;
  return disjoint(
    secret.map((match) => {
      const reason = `it has the format of a ${match.kind.replaceAll("-", " ")}`;
      return { ...match, confidence: "high", reason, name: name ?? match.kind, encoded: false };
    }),
  );
}

/** Formats in which vendors also make keys for browsers. */
const PUBLIC_KINDS = new Set(["google-api-key", "jwt", "api-key", "launchdarkly-key"]);

function mintedHits(text: string, name: string | undefined): Hit[] {
  if (!looksMinted(text)) return [];
  const reason = "it is long and random";
  return [
    { start: 0, end: text.length, kind: "token", confidence: "medium", reason, name: name ?? "token", encoded: false },
  ];
}
