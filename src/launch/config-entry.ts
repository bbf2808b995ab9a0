import { pointerTokens } from "../clients/tree.ts";
import type { LaunchView } from "./approval.ts";

/**
 * The entry at `pointer` of a JSON or JSONC text, with the server's own words (those behind `--`); undefined where the
 * text or the place does not hold one that our launcher starts.
 * Made for the hot path: the editor of src/clients keeps every byte and says where an error is, this only reads.
 */
export function launchedEntry(text: string, pointer: string): LaunchView | undefined {
  const entry = membersOf(valueAt(parse(text.replace(/^\u{FEFF}/u, "")), pointer));
  if (entry === undefined) return undefined;
  const { args, env } = { args: entry.get("args"), env: membersOf(entry.get("env") ?? {}) };
  if (!Array.isArray(args) || env === undefined) return undefined;
  const dashes = args.indexOf("--");
  if (dashes < 0 || !args.slice(0, dashes).includes("run")) return undefined;
  const words = args.slice(dashes + 1).map(String);
  return { words, env: Object.fromEntries([...env].map(([name, value]) => [name, String(value)])) };
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

/** JSONC without its comments and trailing commas. Strings come first, so that what looks like one inside is kept. */
function plainJson(text: string): string {
  const parts = /("(?:[^"\\]|\\.)*")|\/\/[^\n\r]*|\/\*[^]*?\*\/|,(?=(?:\s|\/\/[^\n\r]*|\/\*[^]*?\*\/)*[}\]])/g;
  return text.replace(parts, (_, string: string | undefined) => string ?? " ");
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
