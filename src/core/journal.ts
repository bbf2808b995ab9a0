import type { Provider } from "./provider.ts";

/**
 * The journal of a rotation is a secret of its own beside the one that is rotated, in the same store: `PATH~rotation`.
 * It is no secret of the user's, so that nothing which lists or matches secrets shows it.
 */

const SUFFIX = "~rotation";

/** Where the journal of the secret at `path` lies, without the name of the store. */
export function journalOf(path: string): string {
  return `${path}${SUFFIX}`;
}

/** The secret whose journal lies at `path`. */
export function secretOf(path: string): string {
  return path.slice(0, -SUFFIX.length);
}

export function isJournal(path: string): boolean {
  return path.endsWith(SUFFIX);
}

/** The provider with journals left out of everything that lists. They can still be read by their own path. */
export function withoutJournals(provider: Provider): Provider {
  const list = provider.list?.bind(provider);
  const readAll = provider.readAll?.bind(provider);
  return {
    ...provider,
    ...(list && { list: async () => (await list()).filter(({ path }) => !isJournal(path)) }),
    ...(readAll && { readAll: async () => (await readAll()).filter(({ path }) => !isJournal(path)) }),
  };
}
