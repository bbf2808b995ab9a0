import { START_MEMBERS } from "../clients/members.ts";
import { pointerTokens } from "../clients/tree.ts";
import type { EntryView } from "./approval.ts";

/** `program` is what starts the launcher: the stable one, or (on Windows) the script that Node is given. */
export interface LaunchedEntry extends EntryView {
  readonly program: string;
}

/**
 * The entry at `pointer` of a JSON or JSONC text, with the server's own words (those behind `--`); undefined where the
 * text or the place does not hold one that our launcher starts.
 * Made for the hot path: the editor of src/clients keeps every byte and says where an error is, this only reads.
 */
export function launchedEntry(text: string, pointer: string, id: string): LaunchedEntry | undefined {
  const root = parse(text.replace(/^\u{FEFF}/u, ""));
  const entry = membersOf(valueAt(root, pointer));
  // A second entry under the same id would be launched on the word that was given for this one.
  if (entry === undefined || countStarts(root, id) !== 1) return undefined;
  const { args, env } = { args: entry.get("args"), env: membersOf(entry.get("env") ?? {}) };
  if (!Array.isArray(args) || env === undefined) return undefined;
  const start = args.indexOf("run");
  const [flag, name, dashes, ...words] = args.slice(start + 1).map(String);
  if (start > 1 || flag !== "--entry" || name !== id || dashes !== "--") return undefined;
  const program: unknown = start === 0 ? entry.get("command") : args[0];
  if (typeof program !== "string") return undefined;
  return {
    program,
    words,
    env: Object.fromEntries([...env].map(([variable, value]) => [variable, String(value)])),
    members: Object.fromEntries(
      START_MEMBERS.flatMap((member) => (entry.has(member) ? [[member, JSON.stringify(entry.get(member))]] : [])),
    ),
  };
}

/** How many arrays under `value` start the launcher for `id`. */
function countStarts(value: unknown, id: string): number {
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    return items.some((item, index) => item === "--entry" && items[index + 1] === id) ? 1 : 0;
  }
  const members = membersOf(value);
  return members === undefined ? 0 : [...members.values()].reduce((sum: number, one) => sum + countStarts(one, id), 0);
}

function parse(text: string): unknown {
  for (const attempt of [() => text, () => plainJson(text)]) {
    try {
      return JSON.parse(attempt()) as unknown;
    } catch {
      // With comments it is tried again without them; what is no JSON then has no entry.
    }
  }
  return undefined;
}

/**
 * JSONC without its comments, then without its trailing commas. Strings come first, so that what looks like one inside is
 * kept. Both take time in proportion to the text, whatever is in it: a comment without an end takes the rest of it.
 */
function plainJson(text: string): string {
  const keepStrings = (_: string, string: string | undefined) => string ?? " ";
  return text
    .replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n\r]*|\/\*(?:[^]*?\*\/|[^]*)/g, keepStrings)
    .replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, keepStrings);
}

function valueAt(root: unknown, pointer: string): unknown {
  let value = root;
  for (const token of pointerTokens(pointer)) {
    value = Array.isArray(value) ? (value as unknown[])[Number(token)] : membersOf(value)?.get(token);
  }
  return value;
}

function membersOf(value: unknown): Map<string, unknown> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? new Map<string, unknown>(Object.entries(value)) : undefined;
}
