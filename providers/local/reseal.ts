import { join } from "node:path";
import type { Resealer } from "../../src/core/seal.ts";
import { inParallel } from "../../src/core/parallel.ts";
import type { ProviderOptions } from "../../src/core/provider.ts";
import { encrypt } from "./age/age.ts";
import { AgeError } from "./age/error.ts";
import { parseHeader } from "./age/header.ts";
import { formatRecipient } from "./age/keys.ts";
import { fileOf, previousOf } from "./names.ts";
import { type LocalStore, listPaths, lockOf, openLocalStore, writing } from "./store.ts";
import { openFile } from "./task.ts";

/**
 * Writes again, for those who are to read it now, what was written for others before: a recovery key in
 * `local/recipients` opens nothing that is older than it, and a key that was taken out of there still opens what is.
 *
 * A file says for how many it was written and not for whom, so that `local/sealed-for` lists whom everything was last
 * written for. It is written last: a run that is cut short leaves whole files and begins anew.
 */
export function openResealer(options: ProviderOptions): Resealer {
  const store = openLocalStore(options);
  const names = async () => (await store.keyring.recipients()).map(formatRecipient).toSorted();
  const isNoted = async () => {
    const [noted, now] = [readNoted(store), await names()];
    if (noted !== undefined) return noted.join() === now.join();
    // Before anything is noted there was one key and nobody else.
    return now.length === 1 && store.keyring.identities().length === 1;
  };
  const isFor = (sealed: Buffer, count: number) => (stanzasOf(sealed) ?? count) === count;
  const staleness = async () => {
    const [count, noted] = [(await names()).length, await isNoted()];
    return (sealed: Buffer) => !noted || !isFor(sealed, count);
  };
  return {
    isInUse: () => store.files.look(join(store.folder, "identity")) !== undefined,
    isNoted,
    staleness,
    staleSecrets: async () => filesOf(store, await staleness()).length,
    async resealSecrets() {
      const isStale = await staleness();
      const paths = [...new Set(filesOf(store, isStale).map(({ path }) => path))];
      const done = await inParallel(paths, (path) => writing(store, path, () => resealSecret(store, path, isStale)));
      return done.every((whole) => whole);
    },
    async note() {
      const text = (await names()).map((name) => `${name}\n`).join("");
      await store.files.writePrivate(notePath(store), text);
    },
  };
}

interface SecretFile {
  readonly path: string;
  readonly file: string;
}

/** The files of secrets, the kept ones too, of which `test` holds. */
function filesOf(store: LocalStore, test: (sealed: Buffer) => boolean): SecretFile[] {
  const all = listPaths(store).flatMap((path) => both(store, path).map((file) => ({ path, file })));
  return all.filter(({ file }) => {
    const sealed = store.files.readIfExists(file);
    return sealed !== undefined && test(sealed);
  });
}

function both(store: LocalStore, path: string): readonly [current: string, previous: string] {
  const file = join(store.secrets, fileOf(path));
  return [file, previousOf(file)];
}

/** False where a file is not for our key, or damaged: it stays as it is, and `doctor` tells of it. */
async function resealSecret(store: LocalStore, path: string, isStale: (sealed: Buffer) => boolean): Promise<boolean> {
  return store.lock(lockOf(store, path), async () => {
    let whole = true;
    for (const file of both(store, path)) {
      const sealed = store.files.readIfExists(file);
      if (sealed === undefined || !isStale(sealed)) continue;
      const opened = openFile(sealed, store.keyring.identities());
      if (opened instanceof AgeError) whole = false;
      else await store.files.writePrivate(file, encrypt(opened, await store.keyring.recipients()));
    }
    return whole;
  });
}

/** undefined where it is no age file. */
function stanzasOf(sealed: Buffer): number | undefined {
  try {
    return parseHeader(sealed).stanzas.length;
  } catch (error) {
    if (error instanceof AgeError) return undefined;
    throw error;
  }
}

function readNoted(store: LocalStore): string[] | undefined {
  const bytes = store.files.readIfExists(notePath(store));
  return bytes
    ?.toString()
    .split("\n")
    .filter((line) => line !== "");
}

function notePath({ folder }: LocalStore): string {
  return join(folder, "sealed-for");
}
