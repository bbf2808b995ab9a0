import type { ResolveRequest, SecretSummary, StoredValue, WholeSecret } from "../../src/core/provider.ts";
import { isSegment } from "../../src/core/ref.ts";
import type { SecretsApi } from "./client.ts";
import { isRolePath, nameOf } from "./names.ts";
import { isRead, missing, readSecrets, type Reading } from "./read.ts";
import type { AwsSettings } from "./settings.ts";
import { pendingDeletion } from "./write.ts";

/** A store's secrets as a whole. */
export interface Catalog {
  readonly store: string;
  readonly api: SecretsApi;
  readonly settings: AwsSettings;
}

/** ListSecrets gives no more at a time (API reference). */
const PAGE = 100;

/** Every secret under the prefix, in the order of their paths; one that cannot be read says why. */
export async function listSecrets(catalog: Catalog, request: ResolveRequest): Promise<readonly SecretSummary[]> {
  const read = await readAllSecrets(catalog, request);
  return read.map(({ path, reading }) => {
    if (isRead(reading)) return summaryOf(path, reading);
    return { path, fields: [], version: 0, updatedAt: 0, problem: reading.message };
  });
}

/** Every field of every secret that the login may read. */
export async function readAllValues(catalog: Catalog, request: ResolveRequest): Promise<readonly StoredValue[]> {
  const read = await readAllSecrets(catalog, request);
  return read.flatMap(({ path, reading }) =>
    isRead(reading) ? [...reading.fields].map(([field, value]) => ({ path, field, value })) : [],
  );
}

/** undefined where nothing can be read there: missing, without a current version, to be deleted. */
export async function describeSecret(
  { store, api, settings }: Catalog,
  path: string,
  request: ResolveRequest,
): Promise<SecretSummary | undefined> {
  const name = nameOf(store, settings.prefix, path);
  const reading = (await readSecrets(store, api, [name], request)).get(name);
  if (reading === undefined) return undefined;
  if (isRead(reading)) return summaryOf(path, reading);
  if (reading.code === "secret-not-found" || reading.code === "secret-deleted") return undefined;
  throw reading;
}

/** Every field of one secret; undefined where nothing is there. @throws UserError secret-deleted, secret-corrupt */
export async function readWhole(
  { store, api, settings }: Catalog,
  path: string,
  request: ResolveRequest,
): Promise<WholeSecret | undefined> {
  const name = nameOf(store, settings.prefix, path);
  const reading = (await readSecrets(store, api, [name], request)).get(name);
  if (reading === undefined) return undefined;
  if (isRead(reading)) return { fields: Object.fromEntries(reading.fields), version: reading.version };
  if (reading.code === "secret-not-found") return undefined;
  throw reading;
}

/**
 * Removes a secret: at once, or after the days that the settings name.
 * @throws UserError secret-not-found, secret-deleted where that was asked for before
 */
export async function removeSecret(
  { store, api, settings }: Catalog,
  path: string,
  request: ResolveRequest,
): Promise<void> {
  const name = nameOf(store, settings.prefix, path);
  // A removal by force of what is not there is no error to the service.
  const { DeletedDate: deleted } = await api.describe(name, request);
  if (deleted !== undefined) throw pendingDeletion(store, name);
  const how =
    settings.recoveryDays === 0
      ? { ForceDeleteWithoutRecovery: true }
      : { RecoveryWindowInDays: settings.recoveryDays };
  await api.remove({ SecretId: name, ...how }, request);
}

async function readAllSecrets(catalog: Catalog, request: ResolveRequest) {
  const { store, api, settings } = catalog;
  const paths = await listPaths(catalog, request);
  const readings = await readSecrets(
    store,
    api,
    paths.map((path) => `${settings.prefix}${path}`),
    request,
  );
  return paths.map((path) => {
    const name = `${settings.prefix}${path}`;
    return { path, reading: readings.get(name) ?? missing(store, name) };
  });
}

async function listPaths({ api, settings }: Catalog, request: ResolveRequest): Promise<string[]> {
  const { prefix } = settings;
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page = await api.list(
      {
        MaxResults: PAGE,
        ...(token !== undefined && { NextToken: token }),
        ...(prefix !== "" && { Filters: [{ Key: "name", Values: [prefix] }] }),
      },
      request,
    );
    names.push(...(page.SecretList ?? []).flatMap(({ Name: name }) => (name === undefined ? [] : [name])));
    token = page.NextToken;
  } while (token !== undefined && token !== "");
  const paths = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return paths.filter(isPath).toSorted((a, b) => (a < b ? -1 : 1));
}

/** One that a reference can name; others lie in the same account and are none of ours. */
function isPath(path: string): boolean {
  return path.split("/").every(isSegment) && !isRolePath(path);
}

function summaryOf(path: string, reading: Reading): SecretSummary {
  const fields = [...reading.fields.keys()].toSorted();
  return { path, fields, version: reading.version, updatedAt: reading.createdAt };
}
