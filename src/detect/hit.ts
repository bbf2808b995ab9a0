/** A secret found in a text: what of a Finding does not depend on where the text stands. */
export interface Hit {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
  readonly confidence: "high" | "medium";
  readonly reason: string;
  readonly name: string;
  readonly encoded: boolean;
}

/** The hits as they stand in a longer text, in which theirs begins at `offset`. */
export function shifted(hits: readonly Hit[], offset: number): Hit[] {
  return hits.map((hit) => ({ ...hit, start: hit.start + offset, end: hit.end + offset }));
}

/** The hits in the order of the text; of two that overlap, the one that was found first. */
export function disjoint(hits: readonly Hit[]): Hit[] {
  const kept: Hit[] = [];
  for (const hit of hits) {
    if (hit.end > hit.start && kept.every((other) => hit.end <= other.start || other.end <= hit.start)) kept.push(hit);
  }
  return kept.toSorted((a, b) => a.start - b.start);
}
