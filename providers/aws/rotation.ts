import type { NativeRotation, NativeStatus, ResolveRequest } from "../../src/core/provider.ts";
import { formatRef } from "../../src/core/ref.ts";
import { readSettingsAt } from "../../src/core/settings-reader.ts";
import { UserError } from "../../src/errors.ts";
import type { SecretsApi } from "./client.ts";
import { nameOf } from "./names.ts";
import type { AwsSettings } from "./settings.ts";
import { stagedOf } from "./versions.ts";

/**
 * Rotation by the service: RotateSecret calls the function that the secret names, four times (create, set, test,
 * finish), and holds `AWSPENDING` meanwhile. What the function does is its own: it may end the old value at once.
 */

interface Place {
  readonly store: string;
  readonly api: SecretsApi;
  readonly settings: AwsSettings;
  readonly now: () => number;
}

const PENDING = "AWSPENDING";
/** The service tries a function again for a while; one that has not come to its end in an hour waits for a person. */
const PATIENCE = 3_600_000;

/** @throws UserError config-invalid, refused */
export function rotationOf(place: Place, path: string, given: unknown): NativeRotation {
  // There is nothing to set: how and when stands at the service.
  readSettingsAt(`rotation.${formatRef({ store: place.store, path })}`, given, () => undefined);
  const name = nameOf(place.store, place.settings.prefix, path);
  return {
    class: "X",
    // A function for two users that take turns leaves the old one as it is.
    mayKeepOld: true,
    status: (request) => statusOf(place, name, request),
    rotate: (id, request) => rotate(place, name, { id, request }),
  };
}

async function rotate(
  place: Place,
  name: string,
  { id, request }: { readonly id: string; readonly request: ResolveRequest },
): Promise<NativeStatus> {
  const before = await statusOf(place, name, request);
  if (before.type !== "idle") return before;
  try {
    // The id of the version that the function makes: a repeat finds it.
    await place.api.rotate(name, `mcp-secrets-${id}`, request);
  } catch (error) {
    // Another rotation may have been begun since.
    if (!(error instanceof UserError) || error.code !== "refused") throw error;
    const since = await statusOf(place, name, request);
    if (since.type === "idle") throw error;
    return since;
  }
  return statusOf(place, name, request);
}

async function statusOf(place: Place, name: string, request: ResolveRequest): Promise<NativeStatus> {
  const found = await place.api.describe(name, request);
  if (found.RotationEnabled !== true) throw notSetUp(place.store, name);
  const { current, all } = stagedOf(found.VersionIdsToStages);
  const pending = [...all].find(([, labels]) => labels.includes(PENDING))?.[0];
  if (pending !== undefined && pending !== current) return pendingStatus(place, name, { pending, request });
  const times = { rotatedAt: found.LastRotatedDate?.getTime(), nextAt: found.NextRotationDate?.getTime() };
  const { rotatedAt, nextAt } = times;
  return {
    type: "idle",
    ...(rotatedAt !== undefined && { rotatedAt }),
    ...(nextAt !== undefined && { nextAt }),
  };
}

async function pendingStatus(
  { store, api, now }: Place,
  name: string,
  { pending, request }: { readonly pending: string; readonly request: ResolveRequest },
): Promise<NativeStatus> {
  const { Versions: versions = [] } = await api.versions(name, request);
  const since = versions.find(({ VersionId: id }) => id === pending)?.CreatedDate?.getTime();
  const what = `store ${store}: the rotation function of ${name} has a version pending`;
  if (since === undefined || now() - since < PATIENCE) return { type: "running", what };
  return {
    type: "stuck",
    what: `${what} since ${new Date(since).toISOString()}`,
    hint: `read the function's log in CloudWatch and mend it; then: aws secretsmanager update-secret-version-stage --secret-id ${name} --version-stage ${PENDING} --remove-from-version-id ${pending}`,
  };
}

function notSetUp(store: string, name: string): UserError {
  return new UserError("refused", `store ${store}: the service does not rotate ${name}`, {
    hint: `give it a function: aws secretsmanager rotate-secret --secret-id ${name} --rotation-lambda-arn ARN --rotation-rules AutomaticallyAfterDays=30`,
  });
}
