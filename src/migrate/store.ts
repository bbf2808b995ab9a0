import type { NewSecret, Provider, ResolvedSecret, ResolveRequest } from "../core/provider.ts";
import { DEFAULT_FIELD, formatRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import type { PlannedSecret } from "./places.ts";

/** Writes under way at once: enough for the file system to make many durable with one flush. */
const AT_ONCE = 64;

/**
 * Stores what the store does not hold yet, then reads everything back and compares, so that no config is rewritten to
 * a reference that does not give its value. `done` is called for each that was missing; `made` where it was made now.
 * @returns every secret, in the order of the plan
 * @throws UserError config-changed where another process took a name for another value: plan again
 */
export async function storeSecrets(
  provider: Provider,
  secrets: readonly PlannedSecret[],
  request: ResolveRequest,
  done: (secret: PlannedSecret, made: boolean) => void,
): Promise<readonly ResolvedSecret[]> {
  const missing = new Map(secrets.filter(({ known }) => !known).map((secret) => [secret.ref.path, secret]));
  const fresh = [...missing.values()].map(({ ref, value, origin }) => ({
    path: ref.path,
    fields: { [ref.field ?? DEFAULT_FIELD]: value },
    ...(origin && { origin }),
  }));
  await putAll(provider, fresh, (path, made) => {
    const secret = missing.get(path);
    if (secret !== undefined) done(secret, made);
  });
  return compare(provider, secrets, request);
}

/** What another migrate has stored meanwhile is passed over: the comparison tells whether it is the same. */
async function putAll(
  provider: Provider,
  secrets: readonly NewSecret[],
  done: (path: string, made: boolean) => void,
): Promise<void> {
  if (provider.putAll !== undefined) return provider.putAll(secrets, done);
  const put = provider.put?.bind(provider);
  if (put === undefined) throw new UserError("refused", "this store cannot be written to");
  await eachAtOnce(secrets, async ({ path, fields, origin }) => {
    let made = true;
    try {
      await put(path, fields, { ifVersion: 0, ...(origin && { origin }) });
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== "secret-exists") throw error;
      made = false;
    }
    done(path, made);
  });
}

async function compare(
  provider: Provider,
  secrets: readonly PlannedSecret[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  const refs = secrets.map(({ ref }) => ref);
  const resolved = await provider.resolve(refs, request).catch((error: unknown) => {
    // One that was there when the plan was made may be gone by now.
    if (error instanceof UserError && error.code === "secret-not-found") throw otherwise(error.message);
    throw error;
  });
  for (const [index, { ref, value }] of secrets.entries()) {
    if (resolved[index]?.value.equals(value) === true) continue;
    throw otherwise(`${formatRef(ref)} does not read back as it was stored`);
  }
  return resolved;
}

function otherwise(what: string): UserError {
  return new UserError("config-changed", what, {
    hint: "another process uses that name: run mcp-secrets migrate again",
  });
}

async function eachAtOnce<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(workers);
}
