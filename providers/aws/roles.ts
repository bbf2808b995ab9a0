import type { Lease, ResolvedSecret, ResolveRequest } from "../../src/core/provider.ts";
import { fieldOf, formatRef, type SecretRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { isRolePath, ROLE_FOLDER } from "./names.ts";
import { type SessionOwner, sessionRequest } from "./sessions.ts";
import type { AwsSettings, RoleSettings } from "./settings.ts";
import type { RoleSession, StsApi } from "./sts.ts";

/** @throws UserError config-invalid where the store has no such role */
export function roleOf(store: string, settings: AwsSettings, path: string): RoleSettings {
  const name = path.slice(ROLE_FOLDER.length + 1);
  const role = Object.hasOwn(settings.roles, name) ? settings.roles[name] : undefined;
  if (role !== undefined) return role;
  const known = Object.keys(settings.roles).join(", ");
  throw new UserError("config-invalid", `store ${store} has no role ${name}${known && `; its roles are ${known}`}`, {
    hint: `name it in stores.${store}.roles of config.jsonc, with its arn`,
  });
}

/**
 * Credentials of a role for one server: one session for all fields of a path.
 * @throws UserError store-denied, or why there is no answer
 */
export async function resolveRole(
  parts: { readonly store: string; readonly sts: StsApi; readonly now: () => number },
  { role, owner }: { readonly role: RoleSettings; readonly owner: SessionOwner },
  refs: readonly SecretRef[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  const fields = refs.map((ref) => [ref, fieldIn(ref, ENV_FIELDS)] as const);
  const session = await parts.sts.assume(sessionRequest(parts.store, role, owner), request);
  const lease = leaseOf(session, refs, parts.now());
  return fields.map(([ref, field]) => ({ ref, value: new Secret(field(session)), ...(lease && { lease }) }));
}

/** Those that name roles, each role's together. */
export function roleGroups(refs: readonly SecretRef[]): readonly (readonly SecretRef[])[] {
  const groups = new Map<string, SecretRef[]>();
  for (const ref of refs) if (isRolePath(ref.path)) groups.set(ref.path, [...(groups.get(ref.path) ?? []), ref]);
  return [...groups.values()];
}

function leaseOf(session: RoleSession, [first]: readonly SecretRef[], now: number): Lease | undefined {
  if (first === undefined) return undefined;
  const { field: _, ...ref } = first;
  const expiresAt = session.credentials.expiration.getTime();
  // STS renews nothing and takes nothing back: a session ends at its time.
  return { id: session.arn, ref, expiresAt, duration: Math.max(0, expiresAt - now), renewable: false };
}

const ENV_FIELDS: Readonly<Record<string, (session: RoleSession) => string>> = {
  access_key_id: ({ credentials }) => credentials.accessKeyId,
  secret_access_key: ({ credentials }) => credentials.secretAccessKey,
  session_token: ({ credentials }) => credentials.sessionToken,
};

/** @throws UserError secret-not-found where the reference names another field */
export function fieldIn<T>(ref: SecretRef, fields: Readonly<Record<string, T>>): T {
  const name = fieldOf(ref);
  const found = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (found !== undefined) return found;
  throw new UserError("secret-not-found", `${formatRef(ref)} has no field ${name}`, {
    hint: `its fields are ${Object.keys(fields).join(", ")}: name one after #`,
  });
}
