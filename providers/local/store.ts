import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { ProviderOptions } from "../../src/core/provider.ts";
import { formatRef } from "../../src/core/ref.ts";
import { UserError, systemCode } from "../../src/errors.ts";
import { encrypt } from "./age/age.ts";
import { AgeError } from "./age/error.ts";
import { type SecretDocument, formatDocument, parseDocument } from "./document.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { checkPath, fileOf, pathOf, previousOf } from "./names.ts";
import { type Opened, openFile } from "./task.ts";

/** The files of the local store: one for each secret, below `local/secrets`. */
export interface LocalStore extends ProviderOptions {
  /** `local`, the folder of the store. */
  readonly folder: string;
  /** `local/secrets`. */
  readonly secrets: string;
  readonly keyring: Keyring;
}

/** A folder that another process removed as empty is made again. */
const ATTEMPTS = 5;

export function openLocalStore(options: ProviderOptions): LocalStore {
  const { files, now } = options;
  const folder = join(options.home, "local");
  const secrets = join(folder, "secrets");
  const keyring = openKeyring({ files, folder, now, inUse: () => files.list(secrets).length > 0 });
  return { ...options, folder, secrets, keyring };
}

export function referenceOf(store: LocalStore, path: string): string {
  return formatRef({ store: store.store, path });
}

/**
 * The document of a secret, or undefined where there is none.
 * @throws UserError secret-corrupt, store-locked or store-unavailable, naming the reference
 */
export function load(store: LocalStore, path: string): SecretDocument | undefined {
  const bytes = readBytes(store, path);
  return bytes && openDocument(store, path, bytes);
}

/** As `load`, with the bytes that the file had. */
export function loadWithBytes(
  store: LocalStore,
  path: string,
): { readonly document: SecretDocument; readonly bytes: Buffer } | undefined {
  const bytes = readBytes(store, path);
  return bytes && { document: openDocument(store, path, bytes), bytes };
}

/** False, and nothing changed, where the secret exists. */
export async function create(store: LocalStore, document: SecretDocument): Promise<boolean> {
  return createFile(store, document.path, await sealDocument(store, document));
}

/** As `create`, for a document that is sealed. */
export async function createFile(store: LocalStore, path: string, sealed: Buffer): Promise<boolean> {
  const file = placeOf(store, path);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await store.files.createPrivate(file, sealed);
    } catch (error) {
      if (systemCode(error) !== "ENOENT" || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Keeps `old`, which was read as a good file, and puts the document in its place. Only under the lock of the path. */
export async function replace(store: LocalStore, document: SecretDocument, old: Buffer): Promise<void> {
  const file = placeOf(store, document.path);
  const sealed = await sealDocument(store, document);
  await store.files.writePrivate(previousOf(file), old);
  await store.files.writePrivate(file, sealed);
}

/** Removes what is there of a secret, readable or not; false where nothing is. Only under the lock of the path. */
export function removeFiles(store: LocalStore, path: string): boolean {
  const file = placeOf(store, path);
  if (store.files.look(file) === undefined) return false;
  // The other order would, if cut short, leave a value of a secret that is gone.
  store.files.remove(previousOf(file));
  store.files.remove(file);
  return true;
}

export function removeEmptyFolders(store: LocalStore, path: string): void {
  let folder = dirname(fileOf(path));
  for (; folder !== "."; folder = dirname(folder)) store.files.removeEmptyDir(join(store.secrets, folder));
}

/** The path of every secret, sorted. */
export function listPaths(store: LocalStore): string[] {
  const found: string[] = [];
  const walk = (below: string): void => {
    for (const name of store.files.list(join(store.secrets, below))) {
      const path = pathOf(below + name);
      if (path !== undefined) found.push(path);
      // A file that is not a secret's has no names in it.
      else if (!name.endsWith(".previous")) walk(`${below}${name}/`);
    }
  };
  walk("");
  return found.toSorted();
}

/** One lock for all spellings that a file system without case takes for one. */
export function lockOf(store: LocalStore, path: string): string {
  const name = createHash("sha256").update(path.toLowerCase()).digest("hex").slice(0, 32);
  return join(store.folder, "locks", `${name}.lock`);
}

/** What the system refuses is told with the name of the secret. */
export async function writing<T>(store: LocalStore, path: string, write: () => Promise<T>): Promise<T> {
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

export function missing(store: LocalStore, path: string): UserError {
  const reference = referenceOf(store, path);
  return new UserError("secret-not-found", `no secret ${reference}`, { hint: `mcp-secrets set ${reference}` });
}

function placeOf(store: LocalStore, path: string): string {
  checkPath(path, referenceOf(store, path));
  return join(store.secrets, fileOf(path));
}

/** Of its file; undefined where there is none. @throws UserError store-unavailable */
export function readBytes(store: LocalStore, path: string): Buffer | undefined {
  const file = placeOf(store, path);
  try {
    return store.files.readIfExists(file);
  } catch (error) {
    const reason = systemCode(error);
    if (reason === undefined) throw error;
    const message = `cannot read ${referenceOf(store, path)}: ${reason} at ${file}`;
    throw new UserError("store-unavailable", message, { hint: `ls -l ${file}`, cause: error });
  }
}

function openDocument(store: LocalStore, path: string, bytes: Buffer): SecretDocument {
  return documentOf(store, path, openFile(bytes, store.keyring.identities()));
}

/**
 * What the file of a secret holds, once it was opened.
 * @throws UserError secret-corrupt or store-locked, naming the reference
 */
export function documentOf(store: LocalStore, path: string, opened: Opened): SecretDocument {
  if (opened instanceof AgeError) throw refusal(store, path, opened);
  const document = parseDocument(opened.toString("utf8"));
  if (document === undefined) throw damaged(store, path, "not a secret of this store");
  if (document.path !== path) throw damaged(store, path, `it holds ${referenceOf(store, document.path)}`);
  return document;
}

function refusal(store: LocalStore, path: string, { reason, message }: AgeError): UserError {
  if (reason === "malformed") return damaged(store, path, message);
  return new UserError("store-locked", `${referenceOf(store, path)} was written for another key`, {
    hint: `put the right key back at ${join(store.folder, "identity")}`,
  });
}

function damaged(store: LocalStore, path: string, reason: string): UserError {
  const reference = referenceOf(store, path);
  const file = placeOf(store, path);
  const previous = previousOf(file);
  const hint =
    store.files.look(previous) === undefined
      ? `mcp-secrets rm ${reference}, then mcp-secrets set ${reference}`
      : `cp '${previous}' '${file}' brings the value from before the last change back`;
  return new UserError("secret-corrupt", `${reference} is damaged: ${file}: ${reason}`, { hint });
}

async function sealDocument(store: LocalStore, document: SecretDocument): Promise<Buffer> {
  return encrypt(Buffer.from(formatDocument(document)), await store.keyring.recipients());
}
