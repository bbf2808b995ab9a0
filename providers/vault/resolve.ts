import type { Lease, ResolvedSecret, ResolveRequest } from "../../src/core/provider.ts";
import { fieldOf, formatRef, type SecretRef } from "../../src/core/ref.ts";
import type { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { issue } from "./engine.ts";
import { type KvMount, readKv, type Reading } from "./kv.ts";
import { placeOf } from "./mounts.ts";
import { inParallel } from "../../src/core/parallel.ts";
import type { Session } from "./session.ts";
import type { VaultSettings } from "./settings.ts";

interface Got {
  readonly fields: ReadonlyMap<string, Secret>;
  readonly version?: number;
  readonly lease?: Lease;
}

/** A static secret: where it lies, and the path that references name it by. */
export interface StaticPlace {
  readonly mount: KvMount;
  readonly rest: string;
  readonly path: string;
}

export interface Reads {
  readonly request: ResolveRequest;
  /** Waited for with every lease, before anything else is done with it. */
  readonly leased: (lease: Lease) => Promise<void>;
  /** How static secrets are read, where not plainly. */
  readonly readStatic?: (session: Session, place: StaticPlace, request: ResolveRequest) => Promise<Reading>;
}

/**
 * One answer for each reference, in order; one read for each path, so that a user name and its password belong
 * together.
 */
export async function resolveRefs(
  session: Session,
  mounts: VaultSettings["mounts"],
  refs: readonly SecretRef[],
  reads: Reads,
): Promise<readonly ResolvedSecret[]> {
  const paths = [...new Map(refs.map((ref) => [ref.path, ref])).values()];
  const got = await inParallel(paths, async (ref): Promise<[string, Got]> => {
    const read = await readPath(session, mounts, ref, reads);
    if (read.lease !== undefined) await reads.leased(read.lease);
    return [ref.path, read];
  });
  const byPath = new Map(got);
  return refs.map((ref) => pick(ref, byPath.get(ref.path)));
}

async function readPath(
  session: Session,
  mounts: VaultSettings["mounts"],
  ref: SecretRef,
  { request, readStatic }: Reads,
): Promise<Got> {
  const { mount, rest } = placeOf(session.store, ref.path, mounts);
  if (mount.type === "kv") {
    if (readStatic === undefined) return readKv(session, mount, rest, request);
    return readStatic(session, { mount, rest, path: ref.path }, request);
  }
  const { fields, lease } = await issue(session, mount, rest, request);
  if (lease === undefined) return { fields };
  const { field: _, ...whole } = ref;
  return { fields, lease: { ...lease, ref: whole } };
}

/** @throws UserError secret-not-found where the field is missing */
export function pick(ref: SecretRef, got: Got | undefined): ResolvedSecret {
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
