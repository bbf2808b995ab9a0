import type { Case, Label } from "./cases.ts";

/** What was found in a case: a string of the config, and the secret part of it. */
export interface Found {
  readonly pointer: string;
  readonly text: string;
  readonly span: string;
}

/** Counts of one place of secrets. `exact`: of those hit, the ones whose span is the label's. */
export interface Score {
  hit: number;
  wrong: number;
  missed: number;
  exact: number;
}

export interface Mistake {
  readonly id: string;
  readonly pointer: string;
  readonly what: "wrong" | "missed";
  /** The label of what was wrongly found, or the form of what was missed. */
  readonly of: string;
  readonly text: string;
}

export interface Scores {
  readonly places: ReadonlyMap<string, Score>;
  readonly mistakes: readonly Mistake[];
}

/**
 * Compares findings with labels. A finding counts where it meets a `secret` label and their spans overlap; one that meets
 * an `ambiguous` label counts neither way; any other is wrong, once for each span.
 */
export function score(cases: readonly Case[], found: ReadonlyMap<string, readonly Found[]>): Scores {
  const places = new Map<string, Score>();
  const mistakes: Mistake[] = [];
  for (const one of cases) {
    const findings = found.get(one.id) ?? [];
    for (const mistake of wrongIn(one, findings)) {
      mistakes.push(mistake);
      for (const place of ["all", placeOf(mistake.pointer)]) cell(places, place).wrong += 1;
    }
    for (const label of one.labels.filter(({ label: kind }) => kind === "secret")) {
      const hits = findings.filter((finding) => overlap(finding, label));
      const exact = hits.some(({ span, text }) => span === (label.span ?? text));
      for (const place of ["all", label.location]) add(cell(places, place), hits.length > 0, exact);
      if (hits.length === 0)
        mistakes.push({ id: one.id, pointer: label.jsonPointer, what: "missed", of: label.form, text: "" });
    }
  }
  return { places, mistakes };
}

/** Percentages: of what was found, what was right; of what was there, what was found; their harmonic mean; exact spans. */
export function rates({ hit, wrong, missed, exact }: Score): {
  precision: number;
  recall: number;
  f1: number;
  exact: number;
} {
  const precision = percent(hit, hit + wrong);
  const recall = percent(hit, hit + missed);
  return { precision, recall, f1: (2 * precision * recall) / (precision + recall || 1), exact: percent(exact, hit) };
}

function wrongIn({ id, labels }: Case, findings: readonly Found[]): Mistake[] {
  const seen = new Set<string>();
  return findings.flatMap((finding) => {
    const here = labels.filter((label) => label.jsonPointer === finding.pointer);
    if (here.some((label) => ["secret", "ambiguous"].includes(label.label) && overlap(finding, label))) return [];
    const key = JSON.stringify([finding.pointer, finding.span]);
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ id, pointer: finding.pointer, what: "wrong", of: here[0]?.label ?? "unlabelled", text: finding.span }];
  });
}

function overlap({ pointer, span, text }: Found, label: Label): boolean {
  if (pointer !== label.jsonPointer) return false;
  return label.span === undefined || span === text || span.includes(label.span) || label.span.includes(span);
}

function placeOf(pointer: string): string {
  const part = pointer.split("/")[3] ?? "";
  return part === "args" ? "arg" : part === "headers" ? "header" : part;
}

function cell(places: Map<string, Score>, place: string): Score {
  const made = places.get(place) ?? { hit: 0, wrong: 0, missed: 0, exact: 0 };
  places.set(place, made);
  return made;
}

function add(to: Score, hit: boolean, exact: boolean): void {
  to.hit += hit ? 1 : 0;
  to.missed += hit ? 0 : 1;
  to.exact += exact ? 1 : 0;
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 100 : (100 * part) / whole;
}
