import { percentDecode } from "../core/url.ts";

/** How a secret is kept, so that a launch puts the very characters back that stood in the config. */
export interface Spelling {
  readonly value: string;
  /** True where the launch must not encode it: its spelling in a URL is another than ours. */
  readonly raw: boolean;
}

/**
 * The spelling of `text` as it stands at its place. In the user-info or the query of a URL (`encoded`) the secret itself is
 * kept, if encoding it again gives the same text: `p%40ss` does, `p@ss`, `a%2fb` and `Zm9v==` do not.
 */
export function spellingOf(text: string, encoded: boolean): Spelling {
  if (!encoded) return { value: text, raw: false };
  const value = percentDecode(text);
  const again = value !== undefined && isStartable(value) && encodeURIComponent(value) === text;
  return again ? { value, raw: false } : { value: text, raw: true };
}

/** The secret that a URL means; undefined where that is no text that a program can be given. */
export function meaningIn(text: string): string | undefined {
  const value = percentDecode(text);
  return value !== undefined && isStartable(value) ? value : undefined;
}

/** False for a text that no program can be given: with NUL, or half a character. */
export function isStartable(text: string): boolean {
  return !/\0|\p{Cs}/u.test(text);
}
