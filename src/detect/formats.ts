import { isPlaceholder } from "./placeholders.ts";
import { formats } from "./vendors.ts";
import type { Format } from "./vendors.ts";

/** Every value of a format holds such a run; most texts do not. */
const LONG_RUN = /[\w-]{14}/;

/** Where a value that begins with a sign may begin: the sign's first two characters, and a text that is long enough. */
const BEGINNING = /(?<![A-Za-z0-9_])([A-Za-z0-9][A-Za-z0-9./])(?=[^\s"']{6}|V1 fm)/g;

/** The formats with a sign at their beginning, by its first two characters; the others. */
const byBeginning = grouped(formats.filter(({ prefix }) => prefix));
const others = formats.filter(({ prefix }) => !prefix);
const rank = new Map(formats.map((format, index) => [format, index]));

/** Kinds with a prefix that other texts also begin with. */
const WEAK = new Set(
  "api-key crates-token nuget-key brave-key scaleway-key voyage-key launchdarkly-key octopus-key mem0-key harness-token".split(
    " ",
  ),
);

export interface FormatMatch {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

/** Webhooks: the address is the secret. The path after the sign is what must not be seen. */
const HOOKS: readonly RegExp[] = [
  /hooks\.slack\.com\/(?:services|workflows|triggers)\/(?:\w{1,20}\/){1,4}(\w{16,64})/,
  /discord(?:app)?\.com\/api\/(?:v\d+\/)?webhooks\/\d{5,25}\/([\w-]{20,200})/,
  /webhook\.office\.com\/webhookb2\/([\w@/-]{20,300})/,
  /hooks\.zapier\.com\/hooks\/catch\/([\w/]{6,100})/,
  /mcp\.zapier\.com\/api\/mcp\/[as]\/([\w-]{16,200})/,
  /api\.telegram\.org\/bot(\d{8,10}:[\w-]{30,40})/,
];

/** An endpoint of a gateway: a host or a segment called `mcp`. Whoever knows the id in its path may use the tools. */
const GATEWAY =
  /^(?:[\w-]+\.)*mcp\.[a-z0-9-]+\.[a-z]{2,10}(?::\d+)?\/|^[\w.-]+\.[a-z]{2,10}(?::\d+)?\/(?:[\w.-]+\/){0,6}mcp\//i;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Ids of three words and a random end, as Composio makes them. */
const WORDS_AND_END = /^[a-z]{3,12}-[a-z]{3,12}-[a-z]{3,12}-[A-Za-z0-9_-]{5,12}$/;

/** The id in the path of a gateway's endpoint, by its place among the segments of `address`; -1 where there is none. */
export function gatewayId(segments: readonly string[], address: string, isPublic: (before: string) => boolean): number {
  if (!GATEWAY.test(address)) return -1;
  return segments.findIndex((segment, index) => {
    if (index === 0 || isPublic(segments[index - 1] ?? "") || isPlaceholder(segment)) return false;
    if (UUID.test(segment) || (WORDS_AND_END.test(segment) && /-(?=[^-]*\d)[\w]{5,12}$/.test(segment))) return true;
    return /^[A-Za-z0-9_-]{16,200}$/.test(segment) && isRandom(segment);
  });
}

/** The values of known formats in `text`, those of the more telling format first. */
export function findFormats(text: string): readonly FormatMatch[] {
  if (!LONG_RUN.test(text) && !text.includes("-----BEGIN")) return [];
  return candidates(text)
    .toSorted((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0))
    .flatMap(({ kind, pattern }) => matches(text, kind, pattern));
}

/** The formats whose sign is in `text`: two hundred searches for every text would take longer than all else. */
function candidates(text: string): Format[] {
  const beginnings = new Set(Array.from(text.matchAll(BEGINNING), ([, beginning = ""]) => beginning));
  const likely = [...beginnings].flatMap((beginning) => byBeginning.get(beginning) ?? []);
  return [...likely, ...others].filter(({ sign }) => text.includes(sign));
}

function grouped(all: readonly Format[]): ReadonlyMap<string, readonly Format[]> {
  const groups = new Map<string, Format[]>();
  for (const format of all) {
    const beginning = format.sign.slice(0, 2);
    groups.set(beginning, [...(groups.get(beginning) ?? []), format]);
  }
  return groups;
}

function matches(text: string, kind: string, pattern: RegExp): readonly FormatMatch[] {
  return [...text.matchAll(pattern)]
    .filter(([match]) => isGenuine(kind, match))
    .map(({ 0: match, index }) => ({
      kind,
      start: index,
      end: kind === "private-key" ? endOfPem(text, index) : index + match.length,
    }));
}

/** The secret part of the address of a webhook. */
export function findHook(text: string): FormatMatch | undefined {
  for (const hook of HOOKS) {
    const match = hook.exec(text);
    const secret = match?.[1];
    if (match === null || secret === undefined || !isRandom(secret)) continue;
    const end = match.index + match[0].length;
    return { kind: "webhook", start: end - secret.length, end };
  }
  return undefined;
}

/** True where a run of letters and digits is nothing that a person would write. */
export function isRandom(text: string): boolean {
  for (const [run] of text.matchAll(/[A-Za-z0-9]{8,}/g)) {
    const digits = run.replaceAll(/\D/g, "").length;
    const changes = run.match(/[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]/g)?.length ?? 0;
    if (new Set(run).size >= 6 && (digits >= 2 || changes >= 3) && changes >= 2) return true;
  }
  return false;
}

/** A prefix that anybody uses needs a random rest; a vendor's own must only not be masked. */
function isGenuine(kind: string, match: string): boolean {
  if (kind === "private-key") return true;
  return WEAK.has(kind) ? isRandom(match) && !isPlaceholder(match) : new Set(match).size >= 10 && !isPlaceholder(match);
}

function endOfPem(text: string, start: number): number {
  const end = /-----END [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----/.exec(text.slice(start));
  return end === null ? text.length : start + end.index + end[0].length;
}
