import type { ResolveRequest } from "../../src/core/provider.ts";
import { inParallel } from "../../src/core/parallel.ts";
import type { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { SecretsApi, SecretValue } from "./client.ts";
import { parseContent } from "./content.ts";
import { batchError } from "./failure.ts";
import { CURRENT, numberOf } from "./versions.ts";

/** One read: every field of a secret at one moment. */
export interface Reading {
  readonly fields: ReadonlyMap<string, Secret>;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** By the secret's name: what was read, or why it was not. */
export type Readings = ReadonlyMap<string, Reading | UserError>;

/** BatchGetSecretValue takes no more (API reference). */
const BATCH = 20;

/**
 * The current version of each secret: one request for one, groups of 20 for more. Where the login may not ask for
 * groups, each is asked for by itself.
 * @throws UserError where no secret in particular is to blame
 */
export async function readSecrets(
  store: string,
  api: SecretsApi,
  names: readonly string[],
  request: ResolveRequest,
): Promise<Readings> {
  if (names.length < 2) return readEach(store, api, names, request);
  const groups = Array.from({ length: Math.ceil(names.length / BATCH) }, (_, at) =>
    names.slice(at * BATCH, (at + 1) * BATCH),
  );
  const found = await inParallel(groups, (group) => readGroup(store, api, group, request));
  return new Map(found.flatMap((readings) => [...readings]));
}

async function readGroup(store: string, api: SecretsApi, names: readonly string[], request: ResolveRequest) {
  let batch;
  try {
    batch = await api.batch(names, request);
  } catch (error) {
    if (error instanceof UserError && error.code === "store-denied") return readEach(store, api, names, request);
    throw error;
  }
  const values = (batch.SecretValues ?? []).map((value) => [value.Name ?? "", readingOf(store, value)] as const);
  const errors = (batch.Errors ?? []).map(({ SecretId: name = "", ErrorCode: code = "", Message: message = "" }) => {
    return [name, batchError(store, { name, code, message })] as const;
  });
  const got = new Map<string, Reading | UserError>([...values, ...errors]);
  // Neither a value nor an error: the service knows it not, or not any more.
  return new Map(names.map((name) => [name, got.get(name) ?? missing(store, name)]));
}

async function readEach(
  store: string,
  api: SecretsApi,
  names: readonly string[],
  request: ResolveRequest,
): Promise<Readings> {
  const found = await inParallel(names, async (name): Promise<[string, Reading | UserError]> => {
    try {
      return [name, readingOf(store, await api.get(name, CURRENT, request), name)];
    } catch (error) {
      if (error instanceof UserError && OF_ONE_SECRET.has(error.code)) return [name, error];
      throw error;
    }
  });
  return new Map(found);
}

/** What is said of one secret only, and not of the store. */
const OF_ONE_SECRET: ReadonlySet<string> = new Set([
  "secret-not-found",
  "secret-deleted",
  "secret-corrupt",
  "store-denied",
  "store-key",
]);

function readingOf(
  store: string,
  value: Pick<SecretValue, "Name" | "SecretString" | "VersionId" | "CreatedDate">,
  name = value.Name ?? "",
): Reading | UserError {
  const { SecretString: text, VersionId: version } = value;
  if (version === undefined) return missing(store, name);
  if (text === undefined) return binary(store, name);
  return { fields: parseContent(text), version: numberOf(version), createdAt: value.CreatedDate?.getTime() ?? 0 };
}

function binary(store: string, name: string): UserError {
  return new UserError("secret-corrupt", `store ${store}: ${name} is binary: an environment holds text only`, {
    hint: "store it as text, in base64 where the server takes that",
  });
}

export function missing(store: string, name: string): UserError {
  return new UserError("secret-not-found", `store ${store} has no ${name}`, {
    hint: "store it with mcp-secrets set, or look with: mcp-secrets list",
  });
}

/**
 * All of them, or an error that names each that could not be read.
 * @throws UserError
 */
export function expectAll(readings: Readings): ReadonlyMap<string, Reading> {
  const errors = [...readings.values()].filter((reading) => reading instanceof UserError);
  const [first] = errors;
  if (first === undefined) return new Map([...readings].filter((pair): pair is [string, Reading] => isRead(pair[1])));
  if (errors.length === 1) throw first;
  const all = errors.map(({ message }) => message).join("; ");
  throw new UserError(first.code, all, first.hint === undefined ? {} : { hint: first.hint });
}

export function isRead(reading: Reading | UserError): reading is Reading {
  return !(reading instanceof UserError);
}
