import type { Entry } from "../src/clients/document.ts";
import { jsonc } from "../src/clients/jsonc.ts";
import { detectAll } from "../src/detect/detect.ts";
import type { Case } from "./cases.ts";
import type { Found } from "./score.ts";

/** What our detection finds in each case. */
export function findAll(cases: readonly Case[]): ReadonlyMap<string, readonly Found[]> {
  return new Map(cases.map(({ id, file }) => [id, findIn(Buffer.from(file))]));
}

function findIn(bytes: Buffer): readonly Found[] {
  return detectAll(jsonc.parse(bytes, ["mcpServers"]).entries).flatMap(({ entry, findings }) => {
    const texts = textsOf(entry);
    return findings.map(({ pointer, start, end }) => {
      const text = texts.get(pointer) ?? "";
      return { pointer, text, span: text.slice(start, end) };
    });
  });
}

function textsOf({ command, args, env, url, headers }: Entry): ReadonlyMap<string, string> {
  const all = [command, ...args, ...env, url, ...headers].filter((text) => text !== undefined);
  return new Map(all.map(({ pointer, text }) => [pointer, text]));
}
