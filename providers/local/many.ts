import { inParallel } from "../../src/core/parallel.ts";
import { UserError } from "../../src/errors.ts";
import { crewFor } from "./crew.ts";
import { type SecretDocument, formatDocument } from "./document.ts";
import { type LocalStore, createFile, documentOf, readBytes, writing } from "./store.ts";

/** The document of a secret, undefined where there is none, or why it cannot be had. */
export type Loaded = SecretDocument | UserError | undefined;

/** Files that go to a thread together, so that a message costs little beside the work. */
const BATCH = 32;
const NOTHING = Buffer.alloc(0);

/** As `load` for each path; what `load` throws for one secret stands in its place. */
export async function loadEach(store: LocalStore, paths: readonly string[]): Promise<readonly Loaded[]> {
  const crew = await crewFor(paths.length, store.threads);
  const loaded = await inParallel(batches(paths), async (batch): Promise<readonly Loaded[]> => {
    const read = batch.map((path) => orError(() => readBytes(store, path)));
    const files = read.map((bytes) => (Buffer.isBuffer(bytes) ? bytes : NOTHING));
    if (files.every((bytes) => bytes === NOTHING))
      return read.map((bytes) => (Buffer.isBuffer(bytes) ? undefined : bytes));
    const opened = await crew.open(files, store.keyring.identities());
    return batch.map((path, at) => {
      const bytes = read[at];
      return Buffer.isBuffer(bytes) ? orError(() => documentOf(store, path, opened[at] ?? NOTHING)) : bytes;
    });
  });
  return loaded.flat();
}

/**
 * Makes the file of each document, durable, where its secret does not exist; `done` is called after each.
 * @throws UserError cannot-write; others may have been made
 */
export async function createEach(
  store: LocalStore,
  documents: readonly SecretDocument[],
  done: (path: string, made: boolean) => void,
): Promise<void> {
  const crew = await crewFor(documents.length, store.threads);
  await inParallel(batches(documents), async (batch) => {
    const texts = batch.map((document) => Buffer.from(formatDocument(document)));
    const recipients = await writing(store, batch[0]?.path ?? "", () => store.keyring.recipients());
    const sealed = await crew.seal(texts, recipients);
    const files = batch.map(({ path }, at) => ({ path, bytes: sealed[at] }));
    await inParallel(files, async ({ path, bytes }) => {
      if (bytes === undefined) throw new Error("a document that was not sealed");
      done(path, await writing(store, path, () => createFile(store, path, bytes)));
    });
  });
}

function batches<T>(items: readonly T[]): (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, at) => items.slice(at * BATCH, (at + 1) * BATCH));
}

function orError<T>(work: () => T): T | UserError {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}
