import type { Lease, ResolvedSecret, ResolveRequest } from "../../src/core/provider.ts";
import { fieldOf, formatRef, type SecretRef } from "../../src/core/ref.ts";
import type { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { issue } from "./engine.ts";
import { readKv } from "./kv.ts";
import { placeOf } from "./mounts.ts";
import { inParallel } from "../../src/core/parallel.ts";
import type { Session } from "./session.ts";
import type { VaultSettings } from "./settings.ts";

interface Got {
  readonly fields: ReadonlyMap<string, Secret>;
  readonly version?: number;
  readonly lease?: Lease;
}

/**
 * One answer for each reference, in order; one read for each path, so that a user name and its password belong
 * together. `leased` is waited for with every lease, before anything else is done with it.
 */
export async function resolveRefs(
  session: Session,
  mounts: VaultSettings["mounts"],
  refs: readonly SecretRef[],
  { request, leased }: { request: ResolveRequest; leased: (lease: Lease) => Promise<void> },
): Promise<readonly ResolvedSecret[]> {
  const paths = [...new Map(refs.map((ref) => [ref.path, ref])).values()];
  const got = await inParallel(paths, async (ref): Promise<[string, Got]> => {
    const read = await readPath(session, mounts, ref, request);
    if (read.lease !== undefined) await leased(read.lease);
    return [ref.path, read];
  });
  const byPath = new Map(got);
  return refs.map((ref) => pick(ref, byPath.get(ref.path)));
}

async function readPath(
  session: Session,
  mounts: VaultSettings["mounts"],
  ref: SecretRef,
  request: ResolveRequest,
): Promise<Got> {
  const { mount, rest } = placeOf(session.store, ref.path, mounts);
  if (mount.type === "kv") return readKv(session, mount, rest, request);
  const { fields, lease } = await issue(session, mount, rest, request);
  if (lease === undefined) return { fields };
  const { field: _, ...whole } = ref;
  return { fields, lease: { ...lease, ref: whole } };
}

function pick(ref: SecretRef, got: Got | undefined): ResolvedSecret {
  const value = got?.fields.get(fieldOf(ref));
  if (got === undefined || value === undefined) {
    const names = [...(got?.fields.keys() ?? [])].toSorted().join(", ");
    throw new UserError("secret-not-found", `${formatRef(ref)} has no field ${fieldOf(ref)}`, {
      hint: names === "" ? "it has no fields at all" : `its fields are ${names}: name one after #`,
    });
  }
  return {
    ref,
    value,
    ...(got.version !== undefined && { version: got.version }),
    ...(got.lease !== undefined && { lease: got.lease }),
  };
}
