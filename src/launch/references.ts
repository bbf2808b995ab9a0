import { fieldOf, findRefs, formatRef, type SecretRef } from "../core/ref.ts";

/** The reference as a key: two references to the same value have the same one. */
export function refKey(ref: SecretRef): string {
  return formatRef({ store: ref.store, path: ref.path, field: fieldOf(ref) });
}

/**
 * Every reference in the words and in the values of the variables, each once, in the order found; how it is put into
 * its place is no matter of a store.
 * @throws UserError reference-invalid
 */
export function launchRefs(words: readonly string[], env: Readonly<Record<string, string>>): SecretRef[] {
  const found = new Map<string, SecretRef>();
  for (const text of [...words, ...Object.values(env)]) {
    for (const { ref } of findRefs(text)) {
      const key = refKey(ref);
      if (!found.has(key)) found.set(key, plain(ref));
    }
  }
  return [...found.values()];
}

function plain({ store, path, field }: SecretRef): SecretRef {
  return { store, path, ...(field !== undefined && { field }) };
}
