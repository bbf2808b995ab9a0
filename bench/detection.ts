import { writeFileSync } from "node:fs";
import { jsonc } from "../src/clients/jsonc.ts";
import { detectAll } from "../src/detect/detect.ts";
import { readCases } from "./cases.ts";
import type { Case } from "./cases.ts";
import { findAll } from "./find.ts";
import { rates, score } from "./score.ts";
import type { Found, Scores } from "./score.ts";

/**
 * `npm run bench:detection [-- --errors] [-- --predictions FOLDER]`: precision, recall, F1 and exact spans by place, on
 * both halves of the benchmark that may be looked at, and the time of a warm scan.
 */
const errors = process.argv.includes("--errors");
const folder = process.argv.includes("--predictions") ? process.argv.at(-1) : undefined;

for (const name of ["dev", "hard.dev"] as const) {
  const cases = readCases(name);
  const found = findAll(cases);
  const scores = score(cases, found);
  console.log(`\n${name}: ${cases.length} configs, ${warmScan(cases).toFixed(2)} ms for 5 KB, warm\n`);
  print(scores);
  if (errors) for (const mistake of scores.mistakes) console.log(JSON.stringify(mistake));
  if (folder !== undefined) writeFileSync(`${folder}/${name}.jsonl`, predictions(found));
}

function print({ places }: Scores): void {
  console.log("| place | secrets | found | wrong | precision | recall | F1 | exact spans |");
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const place of ["env", "arg", "header", "url", "all"]) {
    const counts = places.get(place);
    if (counts === undefined) continue;
    const { precision, recall, f1, exact } = rates(counts);
    const numbers = [precision, recall, f1, exact].map((value) => value.toFixed(1)).join(" | ");
    console.log(`| ${place} | ${counts.hit + counts.missed} | ${counts.hit} | ${counts.wrong} | ${numbers} |`);
  }
}

/** Milliseconds of detection for 5 KB of config, after one round to warm up. */
function warmScan(cases: readonly Case[]): number {
  const configs = cases.map(({ file }) => jsonc.parse(Buffer.from(file), ["mcpServers"]).entries);
  const bytes = cases.reduce((sum, { file }) => sum + file.length, 0);
  for (const entries of configs) detectAll(entries);
  const start = performance.now();
  for (const entries of configs) detectAll(entries);
  return ((performance.now() - start) * 5000) / bytes;
}

function predictions(found: ReadonlyMap<string, readonly Found[]>): string {
  const lines = [...found].map(([id, list]) =>
    JSON.stringify({ id, findings: list.map(({ pointer, span }) => ({ jsonPointer: pointer, span })) }),
  );
  return lines.join("\n");
}
