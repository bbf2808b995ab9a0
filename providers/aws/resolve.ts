import type { ResolvedSecret, ResolveRequest } from "../../src/core/provider.ts";
import { fieldOf, formatRef, type SecretRef } from "../../src/core/ref.ts";
import { UserError } from "../../src/errors.ts";
import type { Catalog } from "./catalog.ts";
import { nameOf } from "./names.ts";
import { expectAll, type Reading, readSecrets } from "./read.ts";

/**
 * One answer for each reference, in order; one read for each path, so that a user name and its password belong together.
 * @throws UserError that names each that could not be read
 */
export async function resolveSecrets(
  { store, settings, api }: Catalog,
  refs: readonly SecretRef[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  const names = refs.map(({ path }) => nameOf(store, settings.prefix, path));
  const readings = expectAll(await readSecrets(store, api, [...new Set(names)], request));
  return refs.map((ref, at) => pick(ref, readings.get(names[at] ?? "")));
}

function pick(ref: SecretRef, reading: Reading | undefined): ResolvedSecret {
  const value = reading?.fields.get(fieldOf(ref));
  if (reading !== undefined && value !== undefined) return { ref, value, version: reading.version };
  const names = [...(reading?.fields.keys() ?? [])].toSorted().join(", ");
  throw new UserError("secret-not-found", `${formatRef(ref)} has no field ${fieldOf(ref)}`, {
    hint: names === "" ? "it has no fields at all" : `its fields are ${names}: name one after #`,
  });
}
