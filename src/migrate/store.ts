import type { NewSecret, Provider, ResolvedSecret, ResolveRequest } from "../core/provider.ts";
import { DEFAULT_FIELD, formatRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import type { PlannedSecret } from "./places.ts";

/** Writes under way at once: enough for the file system to make many durable with one flush. */
const AT_ONCE = 64;

/** `stored` is what the store did not hold before; `readBack` is every secret, in the order of the plan. */
interface Stored {
  readonly stored: readonly PlannedSecret[];
  readonly readBack: readonly ResolvedSecret[];
}

/**
 * Stores what the store does not hold yet, then reads everything back and compares, so that no config is rewritten to
 * a reference that does not give its value.
 * @throws UserError config-changed where another process took a name for another value: plan again
 */
export async function storeSecrets(
  provider: Provider,
  secrets: readonly PlannedSecret[],
  request: ResolveRequest,
  progress: (done: number) => void,
): Promise<Stored> {
  const missing = secrets.filter(({ known }) => !known);
  const fresh = missing.map(({ ref, value, origin }) => ({
    path: ref.path,
    fields: { [ref.field ?? DEFAULT_FIELD]: value },
    ...(origin && { origin }),
  }));
  let done = 0;
  await putAll(provider, fresh, () => progress((done += 1)));
  return { stored: missing, readBack: await compare(provider, secrets, request) };
}

/** What another migrate has stored meanwhile is passed over: the comparison tells whether it is the same. */
async function putAll(provider: Provider, secrets: readonly NewSecret[], stored: () => void): Promise<void> {
  if (provider.putAll !== undefined) return provider.putAll(secrets, stored);
  const put = provider.put?.bind(provider);
  if (put === undefined) throw new UserError("refused", "this store cannot be written to");
  await eachAtOnce(secrets, async ({ path, fields, origin }) => {
    try {
      await put(path, fields, { ifVersion: 0, ...(origin && { origin }) });
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== "secret-exists") throw error;
    }
    stored();
  });
}

async function compare(
  provider: Provider,
  secrets: readonly PlannedSecret[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  const resolved = await provider.resolve(
    secrets.map(({ ref }) => ref),
    request,
  );
  for (const [index, { ref, value }] of secrets.entries()) {
    if (resolved[index]?.value.equals(value) === true) continue;
    throw new UserError("config-changed", `${formatRef(ref)} does not read back as it was stored`, {
      hint: "another process uses that name: run mcp-secrets migrate again",
    });
  }
  return resolved;
}

async function eachAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(workers);
}
