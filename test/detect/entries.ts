import type { Entry } from "../../src/clients/document.ts";
import { jsonc } from "../../src/clients/jsonc.ts";
import { detect } from "../../src/detect/detect.ts";
import type { Finding } from "../../src/detect/finding.ts";

/** What an entry may hold, as a client's config writes it. */
export interface EntryText {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The entry as the reader gives it. */
export function entryOf(text: EntryText): Entry {
  const server = text.url === undefined ? { command: "npx", ...text } : text;
  const { entries } = jsonc.parse(Buffer.from(JSON.stringify({ mcpServers: { s: server } })), ["mcpServers"]);
  const [entry] = entries;
  if (entry === undefined) throw new Error("no entry");
  return entry;
}

/** The secrets found, as texts. */
export function secretsIn(text: EntryText): string[] {
  return detect(entryOf(text)).map((finding) => spanOf(entryOf(text), finding));
}

export function spanOf(entry: Entry, { pointer, start, end }: Finding): string {
  const texts = [...entry.args, ...entry.env, ...entry.headers, ...(entry.url === undefined ? [] : [entry.url])];
  return texts.find((text) => text.pointer === pointer)?.text.slice(start, end) ?? "";
}
