import type { SecretOrigin } from "../core/provider.ts";
import { DEFAULT_FIELD, isWritable, type SecretRef } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { firstFree, secretPath } from "./names.ts";

/** A secret that the store holds already. */
export interface KnownSecret {
  readonly path: string;
  readonly field: string;
  readonly value: Secret;
}

export interface PlannedSecret {
  readonly ref: SecretRef;
  readonly value: Secret;
  /** True where the store holds it already under this reference. */
  readonly known: boolean;
  /** Where it was found first; not for one that the store has. */
  readonly origin?: Origin;
}

/** The client part of an entry's id, and the server as its config names it. */
export type Origin = Required<SecretOrigin>;

/** Where secrets are, and go: one value has one place, and a name that is taken gets a number. */
export class Places {
  readonly #store: string;
  readonly #folder: string;
  readonly #byValue = new Map<string, PlannedSecret>();
  readonly #paths = new Set<string>();

  /** `folder` is what the paths of new secrets begin with, where the store wants it. */
  constructor(
    known: readonly KnownSecret[],
    { store, folder }: { readonly store: string; readonly folder?: string | undefined },
  ) {
    this.#store = store;
    this.#folder = folder === undefined ? "" : `${folder}/`;
    for (const { path, field, value } of known) {
      this.#paths.add(path.toLowerCase());
      const ref = field === DEFAULT_FIELD ? { store, path } : { store, path, field };
      if (isWritable(ref) && !this.#byValue.has(value.expose()))
        this.#byValue.set(value.expose(), { ref, value, known: true });
    }
  }

  refFor(value: string, origin: Origin, name: string): SecretRef {
    const there = this.#byValue.get(value);
    if (there !== undefined) return there.ref;
    // Compared in lower case: some file systems do not tell the two apart.
    const named = `${this.#folder}${secretPath(origin.server, name)}`;
    const path = firstFree(named, (candidate) => !this.#paths.has(candidate.toLowerCase()));
    const ref = { store: this.#store, path };
    this.#paths.add(path.toLowerCase());
    this.#byValue.set(value, { ref, value: new Secret(value), known: false, origin });
    return ref;
  }

  planned(): readonly PlannedSecret[] {
    return [...this.#byValue.values()];
  }
}
