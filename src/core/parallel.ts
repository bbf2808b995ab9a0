/** Requests in flight to one store: more only queue at the server. */
const MOST_AT_ONCE = 8;

/** `work` on each item, a few at a time, results in the items' order. The first failure is thrown when all in flight end. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const entries = items.entries();
  const failures: unknown[] = [];
  async function worker(): Promise<void> {
    for (const [at, item] of entries) {
      if (failures.length > 0) return;
      try {
        // One at a time within a worker: the workers together are the parallelism.
        results[at] = await work(item);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(MOST_AT_ONCE, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return results;
}
