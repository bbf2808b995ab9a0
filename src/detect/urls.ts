import { findHook, gatewayId, isRandom } from "./formats.ts";
import type { Hit } from "./hit.ts";
import { meaningOf } from "./names.ts";
import { isPlaceholder } from "./placeholders.ts";
import { isReference } from "./references.ts";
import { isSecretAs, looksMinted } from "./value.ts";

/** A URL up to the first blank or quote. */
const URL_START = /(?<![A-Za-z0-9+.-])(?:jdbc:)?([a-z][a-z0-9+.-]{1,30}):\/\/(?=\S)/gi;

/** Path segments after which a random segment is the id of something public. */
const PUBLIC_BEFORE = new Set(
  "blob tree commit commits raw archive releases download d e u id ids project projects instance instances workspace".split(
    " ",
  ),
);

/** Parameters whose short names mean a credential in a URL only. */
const QUERY_NAMES = new Set(["key", "code", "auth", "sig", "signature", "apikey", "appid"]);

/** The secrets in every URL in `text`: password, parameters, secret paths. */
export function urlHits(text: string): Hit[] {
  const hits: Hit[] = [];
  URL_START.lastIndex = 0;
  for (let match = URL_START.exec(text); match !== null; match = URL_START.exec(text)) {
    const scheme = match[1] ?? "";
    const start = match.index + match[0].length;
    const end = endOfUrl(text, start);
    hits.push(...hitsIn(scheme.toLowerCase(), text.slice(start, end), start));
    URL_START.lastIndex = Math.max(end, start);
  }
  return hits;
}

function endOfUrl(text: string, start: number): number {
  const stop = /[\s"'`]|$/g;
  stop.lastIndex = start;
  return stop.exec(text)?.index ?? text.length;
}

function indexOf(text: string, form: RegExp, from: number): number {
  form.lastIndex = from;
  return form.exec(text)?.index ?? -1;
}

/** `rest` is what follows `://`. */
function hitsIn(scheme: string, rest: string, offset: number): Hit[] {
  const web = scheme === "http" || scheme === "https" || scheme === "ws" || scheme === "wss";
  const info = userInfoEnd(rest, web);
  const found = info < 0 ? [] : userInfoHits(rest.slice(0, info), web);
  const after = info + 1;
  const query = indexOf(rest, /[?#]/g, after);
  if (query >= 0) found.push(...queryHits(rest, query));
  const semicolon = rest.indexOf(";", after);
  if (scheme === "sqlserver" && semicolon >= 0) found.push(...queryHits(rest, semicolon));
  if (web) found.push(...pathHits(rest.slice(after, query < 0 ? rest.length : query), after));
  return found.map((hit) => ({ ...hit, start: hit.start + offset, end: hit.end + offset }));
}

/**
 * Where the `@` after the user-info stands, or -1. A password may hold `@`, `/`, `?`, `#` and `:` though it must not: the
 * last `@` counts. In the path of a web address an `@` is common, so there only that of the authority counts.
 */
function userInfoEnd(rest: string, web: boolean): number {
  const authority = /^[^/?#]*/.exec(rest)?.[0] ?? "";
  const inAuthority = authority.lastIndexOf("@");
  if (web) return inAuthority;
  const query = startOfQuery(rest);
  const beforeQuery = rest.slice(0, query < 0 ? rest.length : query);
  const last = beforeQuery.lastIndexOf("@");
  if (last < 0 || last === inAuthority) return last;
  // `host:5432/@x` has no user-info; `user:pa/ss@host` has.
  return inAuthority < 0 && /^[^:]*(?::\d*)?$/.test(authority) ? -1 : last;
}

/** A question mark begins the query where parameters follow it, and no `@` that a host would follow. */
function startOfQuery(rest: string): number {
  const query = rest.indexOf("?");
  if (query < 0) return -1;
  const parameters = rest.slice(query + 1);
  return parameters === "" || /^[\w.-]+=/.test(parameters) ? query : rest.indexOf("?", rest.lastIndexOf("@") + 1);
}

function userInfoHits(info: string, web: boolean): Hit[] {
  const colon = info.indexOf(":");
  const start = colon + 1;
  const text = info.slice(start);
  if (colon < 0 && !(web && looksMinted(text))) return [];
  if (text === "" || isReference(text) || isPlaceholder(text)) return [];
  const reason = "it stands where a URL has its password";
  return [urlHit({ start, end: info.length, kind: "connection-string", reason, name: "password" })];
}

function queryHits(rest: string, query: number): Hit[] {
  const hits: Hit[] = [];
  for (const match of rest.slice(query).matchAll(/[?&;#]([\w.[\]-]{1,80})=([^&#;]*)/g)) {
    const [pair, name = "", value = ""] = match;
    const end = query + match.index + pair.length;
    const meaning = meaningOf(name);
    const known = meaning === "none" && QUERY_NAMES.has(name.toLowerCase()) ? "maybe" : meaning;
    if (!isSecretAs(known, decoded(value))) continue;
    const reason = `the parameter ${name} says so`;
    hits.push(urlHit({ start: end - value.length, end, kind: "url-parameter", reason, name }));
  }
  return hits;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** Addresses that are secrets themselves: webhooks, and endpoints with a key as a segment of the path. */
function pathHits(address: string, offset: number): Hit[] {
  const hook = findHook(address);
  if (hook !== undefined) {
    return [pathHit(hook.start + offset, hook.end + offset, "webhook", "the address is the credential of a webhook")];
  }
  const segments = address.split("/");
  const id = gatewayId(segments, address, (before) => PUBLIC_BEFORE.has(before.toLowerCase()));
  let at = offset;
  for (const [index, segment] of segments.entries()) {
    if (index === id || (index > 0 && isKeySegment(segment, segments[index - 1] ?? ""))) {
      return [pathHit(at, at + segment.length, "url-key", "a random segment in the path of an endpoint")];
    }
    at += segment.length + 1;
  }
  return [];
}

function isKeySegment(segment: string, before: string): boolean {
  if (PUBLIC_BEFORE.has(before.toLowerCase()) || isPlaceholder(segment)) return false;
  return looksMinted(segment) || (/^(?:[0-9a-f]{32}|[0-9a-f]{64})$/.test(segment) && isRandom(segment));
}

function pathHit(start: number, end: number, kind: string, reason: string): Hit {
  return { start, end, kind, confidence: "medium", reason, name: "url-key", encoded: false };
}

function urlHit(hit: Pick<Hit, "start" | "end" | "kind" | "reason" | "name">): Hit {
  return { ...hit, confidence: "high", encoded: true };
}
