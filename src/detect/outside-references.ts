import { SCHEME } from "../core/ref.ts";

/** Whatever a text looks like around or inside one of our references, the reference is no secret. */
export function outsideReferences<Hit extends { readonly start: number; readonly end: number }>(
  text: string,
  hits: readonly Hit[],
): readonly Hit[] {
  if (!text.includes(SCHEME)) return hits;
  const references = [...text.matchAll(/mcp-secret:\/\/[A-Za-z0-9._~/#-]*/g)];
  return hits.filter(({ start, end }) => {
    return references.every(({ index, 0: { length } }) => end <= index || start >= index + length);
  });
}
