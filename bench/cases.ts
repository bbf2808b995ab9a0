import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** A labelled string of a config. `span` is the secret part of it; absent where it is the whole. */
export interface Label {
  readonly jsonPointer: string;
  readonly label: "secret" | "nonsecret" | "placeholder" | "reference" | "empty" | "ambiguous";
  readonly location: "env" | "arg" | "header" | "url";
  readonly form: string;
  readonly span?: string;
}

/** A config with its labels. */
export interface Case {
  readonly id: string;
  readonly file: string;
  readonly labels: readonly Label[];
}

/** The cases of `bench/data/detection-NAME.jsonl.gz`, read from the root of the repository. */
export function readCases(name: "dev" | "hard.dev"): readonly Case[] {
  const text = gunzipSync(readFileSync(`bench/data/detection-${name}.jsonl.gz`)).toString("utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
