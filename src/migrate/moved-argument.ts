import type { Edit, TextAt } from "../clients/document.ts";
import type { Finding } from "../detect/finding.ts";
import { whyNoSecret } from "../launch/environment.ts";
import { type Move, moveOf } from "./argv.ts";
import type { Rewritten } from "./replace.ts";
import { meaningIn } from "./spelling.ts";

/** A word of the server, and what decides where its secret can go. */
export interface WordPlace {
  readonly words: readonly TextAt[];
  readonly index: number;
  /** Names of variables that the entry has. */
  readonly taken: ReadonlySet<string>;
  /** True where the client expands `${NAME}` itself. */
  readonly interpolates: boolean;
}

/** A word, and what it gives to the environment where its secret leaves the arguments. */
export type Taken = Rewritten & { readonly variables: readonly [name: string, text: string][] };

type Replace = (word: TextAt, alone: Move["alone"]) => Rewritten;

/** Stands for a reference before there is one. */
const ANY = "mcp-secret://any/any";

/** The word with references, and without the secret where that can go to a variable. `replace` puts references in. */
export function takeFromArgv(place: WordPlace, found: readonly Finding[], replace: Replace): Taken {
  const word = place.words[place.index];
  if (word === undefined) throw new Error("a word that is not there");
  const trial = tryMove(place, word, found);
  const rewritten = replace(word, trial?.alone);
  const [reference] = rewritten.references;
  const move = trial === undefined ? undefined : moveFor(place, rewritten.after, reference);
  if (move === undefined) {
    const findings = rewritten.findings.map((finding) => ({ ...finding, argvVisible: true }));
    return { ...rewritten, findings, variables: [] };
  }
  return {
    ...rewritten,
    after: move.argument,
    edits: [difference(word, move.argument)],
    findings: rewritten.findings.map((finding) => ({ ...finding, movedTo: move.variable })),
    variables: [[move.variable, move.value]],
  };
}

/** How the secret would move, which decides how it is kept. */
function tryMove(place: WordPlace, { pointer, text }: TextAt, found: readonly Finding[]): Move | undefined {
  const [only, ...more] = found.filter((finding) => finding.pointer === pointer);
  if (only === undefined || more.length > 0) return undefined;
  const { start, end } = only;
  const move = moveFor(place, text.slice(0, start) + ANY + text.slice(end), ANY);
  // What a URL means may be nothing that a variable can hold.
  return move?.alone === "decoded" && meaningIn(text.slice(start, end)) === undefined ? undefined : move;
}

function moveFor({ words, index, taken, interpolates }: WordPlace, text: string, reference = ""): Move | undefined {
  const argv = words.map((word) => word.text);
  const move = moveOf({ words: argv, index, text, reference, interpolated: interpolates });
  const free = move !== undefined && !taken.has(move.variable) && whyNoSecret(move.variable) === undefined;
  return free ? move : undefined;
}

/** The smallest replacement that makes `after` of the string at `place`. */
function difference(place: TextAt, after: string): Edit {
  const before = place.text;
  let start = 0;
  while (start < Math.min(before.length, after.length) && before[start] === after[start]) start += 1;
  let tail = 0;
  const most = Math.min(before.length, after.length) - start;
  while (tail < most && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const text = after.slice(start, after.length - tail);
  return { type: "replace", pointer: place.pointer, start, end: before.length - tail, text };
}
