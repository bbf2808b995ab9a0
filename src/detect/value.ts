import { isRandom } from "./formats.ts";
import { isPublicName, kindOf, meaningOf, namesAuth } from "./names.ts";
import type { NameMeaning } from "./names.ts";
import { isPlaceholder } from "./placeholders.ts";
import { isReference } from "./references.ts";
import type { Hit } from "./hit.ts";

/** Keys that vendors make for browsers: Stripe, Clerk and their like, Supabase, Mapbox, PostHog. */
const PUBLISHABLE = /^(?:pk_(?:live|test)_|sb_publishable_|pk\.eyJ|phc_)\w/;

/** `Bearer x`, `token x`: the word stays. */
const SCHEME =
  /^(bearer|basic|token|apikey|api-key|key|digest|negotiate|bot|jwt|splunk|oauth|sso-key)(?:[ \t]+|%20)(?=\S)/i;

/** Schemes that are no words of a sentence: what follows one is a credential under whatever name. RFC 7235, RFC 6750. */
const CREDENTIALS_FOLLOW = /^(?:bearer|apikey|api-key|jwt|splunk|sso-key)$/i;

/**
 * The secret that `value` is, told by the name above it; undefined where it is none. An authentication scheme in front,
 * quotes and blanks around stay outside.
 */
export function namedSecret(name: string, value: string): Hit | undefined {
  const { start, end, scheme } = core(value);
  const text = value.slice(start, end);
  const meaning = withScheme(meaningOf(name), { name, scheme, text });
  if (!isSecretAs(meaning, text) && !(namesAuth(name) && isShortSecret(text))) return undefined;
  const confidence = meaning === "password" || meaning === "token" ? "high" : "medium";
  const kind = scheme !== "" ? "token" : kindOf(name);
  return { start, end, kind, confidence, reason: `the name ${name} says so`, name, encoded: false };
}

/** The credentials behind an authentication scheme, in a text that stands under no name. */
export function schemeSecret(value: string): Hit | undefined {
  if (core(value).scheme === "") return undefined;
  const found = namedSecret("", value);
  return found && { ...found, reason: "it stands after an authentication scheme", name: "token" };
}

/** What an authentication scheme in front of a value tells beside its name. */
function withScheme(meaning: NameMeaning, { name, scheme, text }: Record<"name" | "scheme" | "text", string>) {
  if (scheme === "" || meaning === "password" || meaning === "token" || isPublicName(name)) return meaning;
  // A word may follow `basic`; its credentials are base64.
  const follows = /^basic$/i.test(scheme) ? /^[A-Za-z0-9+/]{8,}={0,2}$/ : /^\S+$/;
  const certain = meaning === "maybe" || CREDENTIALS_FOLLOW.test(scheme) || /^basic$/i.test(scheme);
  return certain && follows.test(text) ? "token" : "maybe";
}

/** A word for the method would stand here as well, but no method looks random. */
function isShortSecret(text: string): boolean {
  return looksRandom(text, 12) && !isReference(text) && !isPlaceholder(text) && !PUBLISHABLE.test(text);
}

/** True where a value under a name of this meaning is a secret. */
export function isSecretAs(meaning: NameMeaning, text: string): boolean {
  if (meaning === "none" || text === "" || isReference(text) || isPlaceholder(text)) return false;
  switch (meaning) {
    case "password":
      return !isSwitch(text) && !isRooted(text) && !isAddress(text);
    case "token":
      return isToken(text) && !PUBLISHABLE.test(text);
    case "maybe":
      return looksRandom(text) && !PUBLISHABLE.test(text);
  }
}

/** The part of a value that is left without quotes, blanks and an authentication scheme. */
function core(value: string): { start: number; end: number; scheme: string } {
  let start = value.length - value.trimStart().length;
  let end = value.trimEnd().length;
  const quote = value.charAt(start);
  if ((quote === '"' || quote === "'") && end - start > 2 && value.charAt(end - 1) === quote) {
    start += 1;
    end -= 1;
  }
  const scheme = SCHEME.exec(value.slice(start, Math.min(end, start + 40)));
  return { start: start + (scheme?.[0].length ?? 0), end, scheme: scheme?.[1] ?? "" };
}

/** What a machine made, or may have made. */
function isToken(text: string): boolean {
  if (text.length < 6 || isSwitch(text) || isPath(text) || isAddress(text)) return false;
  if (/^\d+(?:\.\d+)?$/.test(text)) return text.length >= 10;
  return !isWords(text);
}

/** Words of letters, or too few characters to hold more: `production`, `my profile`. */
function isWords(text: string): boolean {
  if (text.length > 60) return false;
  const parts = text.split(/[-_.,:/\s]+/);
  return parts.every((part) => !isScrambled(part) && /^(?:[a-z]{0,15}|[A-Z]{0,12}|[A-Z][a-z]{0,15})$/.test(part));
}

/** Letters in an order that no word has: six consonants in a row, or capitals in its middle here and there. */
function isScrambled(part: string): boolean {
  if (part.length < 8) return false;
  return /[bcdfghjklmnpqrstvwxz]{6}/i.test(part) || (/[a-z][A-Z]{2}/.test(part) && /[A-Z]{2}[a-z]/.test(part));
}

/** For a name that only hints: random characters that are no address, path or id. */
export function looksRandom(text: string, least = 16): boolean {
  if (text.length < least || text.length > 4096 || /\s/.test(text) || isPath(text) || isAddress(text)) return false;
  return isRandom(text);
}

/** Long, with upper and lower case and digits, and no separators: no id that people pass around is like that. */
export function looksMinted(text: string): boolean {
  if (!/^[A-Za-z0-9_-]{28,200}$/.test(text) || !/[A-Z]/.test(text) || !/[a-z]/.test(text)) return false;
  // Twilio's ids of accounts and keys are no secrets.
  if (/^(?:AC|SK)[0-9a-f]{32}$/.test(text)) return false;
  const run = /[A-Za-z0-9]{24,}/.exec(text)?.[0] ?? "";
  return (run.match(/[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]/g)?.length ?? 0) >= 6 && new Set(run).size >= 14;
}

function isSwitch(text: string): boolean {
  return /^(?:true|false|yes|no|on|off|\d{1,3})$/i.test(text);
}

/** A path, and not base64 with a slash: its root is known, or it ends in a file, or its words are words. */
function isPath(text: string): boolean {
  if (isRooted(text)) return true;
  if (text.length > 1024 || /[+=&?]/.test(text) || !text.includes("/")) return false;
  const segments = text.split("/");
  if (/\.[a-z]{2,5}$/.test(text) && segments.every((segment) => /^[\w .@-]*$/.test(segment))) return true;
  // Base64 has capitals at the end of a run of small letters: `LvvhO/kTrJ`.
  if (text.length >= 12 && /[a-z][A-Z](?![a-z])/.test(text)) return false;
  const isName = (segment: string) => /^[A-Za-z .@_-]{0,40}\d{0,4}$/.test(segment) && !isScrambled(segment);
  return segments.every(isName) && !isRandom(text);
}

/** A path from a root that is known. */
function isRooted(text: string): boolean {
  if (/^(?:~|\.{1,2}|[A-Za-z]:|%\w+%|\$\w+)[\\/]/.test(text) || text.startsWith("\\\\")) return true;
  return /^\/(?:home|users|var|etc|usr|opt|tmp|run|mnt|srv|root|app|data|path|absolute|secrets?|certs?|private)\//i.test(
    text,
  );
}

/** A URL, a host or a mail address. What is secret in a URL was looked for before. */
function isAddress(text: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(text)) return true;
  if (text.length > 255) return false;
  return (
    /^[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,10}$/i.test(text) || /^[a-z0-9-]+(?:\.[a-z0-9-]+)+:\d+$/.test(text)
  );
}
