import type { Context } from "../context.ts";
import { inParallel } from "../core/parallel.ts";
import { formatRef, parseRef, type SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { openStore } from "../stores.ts";

/** How long stores may take to answer, in milliseconds: who asks wants to know what runs, and can do without the rest. */
const PATIENCE = 3_000;

/**
 * The version that each of `texts`, references, leads to now. What cannot be told is left out: a store that does not
 * answer, a secret that is gone. Only references that were given with a version belong here: to ask for one of an engine
 * would make a credential.
 */
export async function currentVersions(context: Context, texts: Iterable<string>): Promise<ReadonlyMap<string, number>> {
  const refs = [...new Set(texts)].map(parseRef);
  const stores = [...new Set(refs.map(({ store }) => store))];
  const found = await Promise.all(
    stores.map((store) =>
      versionsIn(
        context,
        store,
        refs.filter((ref) => ref.store === store),
      ),
    ),
  );
  return new Map(found.flat());
}

async function versionsIn(context: Context, store: string, refs: readonly SecretRef[]): Promise<[string, number][]> {
  try {
    const provider = await openStore(context, store);
    const request = { deadline: context.now() + PATIENCE };
    const ask = (some: readonly SecretRef[]) => orNothing(() => provider.resolve(some, request));
    // Where one is gone, each is asked for by itself: it hides nothing of the others.
    const answers = (await ask(refs)) ?? (await inParallel(refs, async (ref) => (await ask([ref])) ?? [])).flat();
    provider.close?.();
    return answers.flatMap(({ ref, version }) => (version === undefined ? [] : [[formatRef(ref), version]]));
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}

async function orNothing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
