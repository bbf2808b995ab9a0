import type {
  Fields,
  Provider,
  ProviderOptions,
  ResolvedSecret,
  SecretSummary,
  StoredValue,
  WholeSecret,
} from "../../src/core/provider.ts";
import { type SecretRef, fieldOf, formatRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError, systemCode } from "../../src/errors.ts";
import { type SecretDocument, addVersion, currentOf } from "./document.ts";
import {
  type LocalStore,
  create,
  listPaths,
  load,
  loadWithBytes,
  lockOf,
  missing,
  openLocalStore,
  referenceOf,
  removeEmptyFolders,
  removeFiles,
  replace,
} from "./store.ts";

type Capability = "resolve" | "put" | "list" | "readAll" | "describe" | "read" | "remove";

/** The local store: age files below `local/` in the home of mcp-secrets. Needs no set-up. */
export function open(options: ProviderOptions): Required<Pick<Provider, Capability>> {
  const store = openLocalStore(options);
  return {
    resolve: async (refs) => resolve(store, refs),
    put: async (path, fields, { ifVersion }) => writing(store, path, () => put(store, path, fields, ifVersion)),
    list: async () => listPaths(store).flatMap((path) => summaryIfThere(store, path) ?? []),
    readAll: async () => listPaths(store).flatMap((path) => valuesOf(store, path)),
    describe: async (path) => summaryOf(path, load(store, path)),
    read: async (path) => wholeOf(load(store, path)),
    remove: async (path) => writing(store, path, () => remove(store, path)),
  };
}

function resolve(store: LocalStore, refs: readonly SecretRef[]): ResolvedSecret[] {
  const documents = new Map<string, SecretDocument>();
  return refs.map((ref) => {
    const document = documents.get(ref.path) ?? load(store, ref.path);
    if (document === undefined) throw missing(store, ref.path);
    documents.set(ref.path, document);
    return { ref, value: fieldIn(document, ref), version: document.stages.current };
  });
}

function fieldIn(document: SecretDocument, ref: SecretRef): Secret {
  const { fields } = currentOf(document);
  const field = fieldOf(ref);
  const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (value !== undefined) return new Secret(value);
  const message = `${formatRef({ store: ref.store, path: ref.path })} has no field ${field}`;
  throw new UserError("secret-not-found", message, { hint: `mcp-secrets set ${formatRef({ ...ref, field })}` });
}

/**
 * A new secret needs no lock: its file is created only where none is, and of the others only `remove`, which holds the
 * lock, makes a file vanish.
 */
async function put(store: LocalStore, path: string, fields: Fields, ifVersion: number): Promise<number> {
  const values = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.expose()]));
  if (ifVersion === 0) {
    const first = addVersion(path, undefined, values, store.now());
    if (!(await create(store, first))) throw lostRace(store, path, ifVersion);
    return first.stages.current;
  }
  return store.lock(lockOf(store, path), async () => {
    const old = loadWithBytes(store, path);
    if (old?.document.stages.current !== ifVersion) throw lostRace(store, path, ifVersion);
    const next = addVersion(path, old.document, values, store.now());
    await replace(store, next, old.bytes);
    return next.stages.current;
  });
}

async function remove(store: LocalStore, path: string): Promise<void> {
  await store.lock(lockOf(store, path), async () => {
    if (!removeFiles(store, path)) throw missing(store, path);
    removeEmptyFolders(store, path);
  });
}

function lostRace(store: LocalStore, path: string, ifVersion: number): UserError {
  const reference = referenceOf(store, path);
  const message = ifVersion === 0 ? `${reference} exists` : `${reference} is no longer at version ${ifVersion}`;
  return new UserError("secret-exists", message, { hint: `mcp-secrets set ${reference} replaces its value` });
}

/** What the system refuses is told with the name of the secret. */
async function writing<T>(store: LocalStore, path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    const reason = error instanceof UserError ? undefined : systemCode(error);
    if (reason === undefined) throw error;
    throw new UserError("cannot-write", `cannot change ${referenceOf(store, path)}: ${reason}`, {
      hint: `make room for it, or make ${store.folder} yours to write, and run the command again`,
      cause: error,
    });
  }
}

function summaryOf(path: string, document: SecretDocument | undefined): SecretSummary | undefined {
  if (document === undefined) return undefined;
  const { fields, createdAt } = currentOf(document);
  const version = document.stages.current;
  return { path, fields: Object.keys(fields).toSorted(), version, updatedAt: Date.parse(createdAt) };
}

function wholeOf(document: SecretDocument | undefined): WholeSecret | undefined {
  if (document === undefined) return undefined;
  const fields = Object.entries(currentOf(document).fields).map(([name, value]) => [name, new Secret(value)] as const);
  return { fields: Object.fromEntries(fields), version: document.stages.current };
}

/** One damaged file does not hide the others. Undefined where the secret went while the list was made. */
function summaryIfThere(store: LocalStore, path: string): SecretSummary | undefined {
  try {
    return summaryOf(path, load(store, path));
  } catch (error) {
    if (!isOfOneSecret(error)) throw error;
    return { path, fields: [], version: 0, updatedAt: 0, problem: error.message };
  }
}

function valuesOf(store: LocalStore, path: string): StoredValue[] {
  try {
    const document = load(store, path);
    const fields = document === undefined ? [] : Object.entries(currentOf(document).fields);
    return fields.map(([field, value]) => ({ path, field, value: new Secret(value) }));
  } catch (error) {
    if (!isOfOneSecret(error)) throw error;
    return [];
  }
}

/** A lost key is a matter of the whole store. */
function isOfOneSecret(error: unknown): error is UserError {
  return error instanceof UserError && (error.code === "secret-corrupt" || error.code === "store-locked");
}
