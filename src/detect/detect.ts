import type { Entry, TextAt } from "../clients/document.ts";
import { argumentHits } from "./arguments.ts";
import { copiesIn, type Searched } from "./copies.ts";
import type { Finding } from "./finding.ts";
import type { Hit } from "./hit.ts";
import { outsideReferences } from "./outside-references.ts";
import { textHits, valueHits } from "./text.ts";

/** The plaintext secrets of each entry of a config, and the copies of each of them in every one. */
export function detectAll(entries: readonly Entry[]): readonly Searched[] {
  const searched = entries.map((entry) => ({ entry, findings: detect(entry) }));
  const copies = copiesIn(searched);
  return searched.map(({ entry, findings }, index) => ({ entry, findings: [...findings, ...(copies[index] ?? [])] }));
}

/**
 * The plaintext secrets of an entry, its command among its arguments: told by where they stand first, then by the formats of vendors. References to
 * other tools and placeholders are none. In the order of the entry, and never overlapping.
 */
export function detect(entry: Entry): Finding[] {
  const { command, args, env, headers, url } = entry;
  const words = [command?.text ?? "", ...args.map(({ text }) => text)];
  return [
    ...(command === undefined ? [] : at(entry, "arg", command, argumentHits(words, 0))),
    ...args.flatMap((arg, index) => at(entry, "arg", arg, argumentHits(words, index + 1))),
    ...env.flatMap((variable) => at(entry, "env", variable, variableHits(variable.name, variable.text))),
    ...(url === undefined ? [] : at(entry, "url", url, textHits(url.text))),
    ...headers.flatMap((header) => at(entry, "header", header, valueHits(header.name, header.text))),
  ];
}

/** A secret that is a part of a variable has the variable's name where it is the only one. */
function variableHits(name: string, text: string): Hit[] {
  const hits = valueHits(name, text);
  return hits.length === 1 ? hits.map((hit) => ({ ...hit, name })) : hits;
}

function at(
  { server }: Entry,
  place: Finding["place"],
  { pointer, text, literal }: TextAt,
  hits: readonly Hit[],
): Finding[] {
  // A number is a secret as a whole or not at all.
  if (literal !== undefined && hits.some(({ start, end }) => start !== 0 || end !== text.length)) return [];
  return outsideReferences(text, hits).map((hit) => ({ server, pointer, place, ...hit }));
}
