import { parseRef, type SecretRef } from "../core/ref.ts";
import type { LaunchRecord } from "../launch/registry.ts";

/**
 * The entries of running launches that hold a version of the secret before `newest`, each once. One whose version nobody
 * noted counts: it may.
 */
export function holdersBefore(launches: readonly LaunchRecord[], { store, path }: SecretRef, newest: number): string[] {
  const holding = launches.filter(({ refs }) =>
    refs.some(({ ref, version }) => {
      const held = parseRef(ref);
      return held.store === store && held.path === path && (version === undefined || version < newest);
    }),
  );
  return [...new Set(holding.map(({ entry }) => entry))];
}
