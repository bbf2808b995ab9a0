import type {
  Fields,
  NewSecret,
  Provider,
  ProviderOptions,
  ResolvedSecret,
  SecretSummary,
  StoredValue,
  WholeSecret,
} from "../../src/core/provider.ts";
import { type SecretRef, fieldOf, formatRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { type SecretDocument, addVersion, currentOf } from "./document.ts";
import { type Loaded, createEach, loadEach } from "./many.ts";
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
  writing,
} from "./store.ts";

type Capability = "resolve" | "put" | "putAll" | "list" | "readAll" | "describe" | "read" | "remove";

/** The local store: age files below `local/` in the home of mcp-secrets. Needs no set-up. */
export function open(options: ProviderOptions): Required<Pick<Provider, Capability>> {
  const store = openLocalStore(options);
  return {
    resolve: async (refs) => resolve(store, refs),
    put: async (path, fields, { ifVersion }) => writing(store, path, () => put(store, path, fields, ifVersion)),
    putAll: async (secrets, done) => putAll(store, secrets, done),
    list: async () => (await everything(store)).flatMap(({ path, loaded }) => summaryIfThere(path, loaded) ?? []),
    readAll: async () => (await everything(store)).flatMap(({ path, loaded }) => valuesOf(path, loaded)),
    describe: async (path) => summaryOf(path, load(store, path)),
    read: async (path) => wholeOf(load(store, path)),
    remove: async (path) => writing(store, path, () => remove(store, path)),
  };
}

async function resolve(store: LocalStore, refs: readonly SecretRef[]): Promise<ResolvedSecret[]> {
  const paths = [...new Set(refs.map(({ path }) => path))];
  const loaded = await loadEach(store, paths);
  const documents = new Map(paths.map((path, at) => [path, loaded[at]]));
  return refs.map((ref) => {
    const document = documents.get(ref.path);
    if (document === undefined) throw missing(store, ref.path);
    if (document instanceof UserError) throw document;
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
  if (ifVersion === 0) {
    const first = firstVersion(store, { path, fields });
    if (!(await create(store, first))) throw lostRace(store, path, ifVersion);
    return first.stages.current;
  }
  return store.lock(lockOf(store, path), async () => {
    const old = loadWithBytes(store, path);
    if (old?.document.stages.current !== ifVersion) throw lostRace(store, path, ifVersion);
    const next = addVersion(path, old.document, textsOf(fields), store.now());
    await replace(store, next, old.bytes);
    return next.stages.current;
  });
}

async function putAll(
  store: LocalStore,
  secrets: readonly NewSecret[],
  done: (path: string, made: boolean) => void,
): Promise<void> {
  const documents = secrets.map((secret) => firstVersion(store, secret));
  await createEach(store, documents, done);
}

function firstVersion(store: LocalStore, { path, fields }: NewSecret): SecretDocument {
  return addVersion(path, undefined, textsOf(fields), store.now());
}

function textsOf(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.expose()]));
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

async function everything(store: LocalStore): Promise<{ readonly path: string; readonly loaded: Loaded }[]> {
  const paths = listPaths(store);
  const loaded = await loadEach(store, paths);
  return paths.map((path, at) => ({ path, loaded: loaded[at] }));
}

/** One damaged file does not hide the others. Undefined where the secret went while the list was made. */
function summaryIfThere(path: string, loaded: Loaded): SecretSummary | undefined {
  if (!(loaded instanceof UserError)) return summaryOf(path, loaded);
  if (!isOfOneSecret(loaded)) throw loaded;
  return { path, fields: [], version: 0, updatedAt: 0, problem: loaded.message };
}

function valuesOf(path: string, loaded: Loaded): StoredValue[] {
  if (loaded === undefined) return [];
  if (!(loaded instanceof UserError)) {
    return Object.entries(currentOf(loaded).fields).map(([field, value]) => ({
      path,
      field,
      value: new Secret(value),
    }));
  }
  if (!isOfOneSecret(loaded)) throw loaded;
  return [];
}

/** A lost key is a matter of the whole store. */
function isOfOneSecret({ code }: UserError): boolean {
  return code === "secret-corrupt" || code === "store-locked";
}
