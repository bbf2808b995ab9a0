import { join } from "node:path";
import type { ResolveRequest } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import type { VaultOptions } from "./options.ts";
import { asObject, type Json, numberOf } from "./shape.ts";

/**
 * The store's own small files under the home of mcp-secrets, 0600: what launches share so that a hundred of them at
 * once log in one time.
 */
type StateName = "token" | "secret-id" | "refused";

/** A claim that is older was left by a process that died. Longer than a login may take. */
const CLAIM_LIFE = 15_000;
const POLL = 25;

export function readState(options: VaultOptions, name: StateName): Json | undefined {
  const bytes = options.files.readIfExists(pathOf(options, name));
  if (bytes === undefined) return undefined;
  try {
    return asObject(JSON.parse(bytes.toString("utf8")));
  } catch {
    return undefined;
  }
}

export async function writeState(options: VaultOptions, name: StateName, state: Json): Promise<void> {
  await options.files.writePrivate(pathOf(options, name), JSON.stringify(state));
}

export function dropState(options: VaultOptions, name: StateName): void {
  options.files.remove(pathOf(options, name));
}

/**
 * One process at a time does `work`; the others wait and take what it left for `look` to find.
 * @throws UserError locked where the time is up first
 */
export async function once<T>(
  options: VaultOptions,
  name: StateName,
  request: ResolveRequest,
  task: { readonly look: () => T | undefined; readonly work: () => Promise<T> },
): Promise<T> {
  const claim = `${pathOf(options, name)}.claim`;
  for (;;) {
    const found = task.look();
    if (found !== undefined) return found;
    if (await options.files.createPrivate(claim, JSON.stringify({ at: options.now() }))) break;
    if (isStale(options, claim)) options.files.remove(claim);
    if (options.now() >= request.deadline || request.signal?.aborted === true) throw busy(options.store);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
  try {
    // Another may have finished between our look and our claim.
    return task.look() ?? (await task.work());
  } finally {
    options.files.remove(claim);
  }
}

function isStale(options: VaultOptions, claim: string): boolean {
  const bytes = options.files.readIfExists(claim);
  if (bytes === undefined) return false;
  try {
    const at = numberOf(asObject(JSON.parse(bytes.toString("utf8"))), "at") ?? 0;
    return Math.abs(options.now() - at) > CLAIM_LIFE;
  } catch {
    return true;
  }
}

function busy(store: string): UserError {
  return new UserError("locked", `store ${store}: another launch is logging in and does not come to an end`, {
    hint: `mcp-secrets store check ${store}`,
  });
}

function pathOf(options: VaultOptions, name: StateName): string {
  return join(options.home, "vault", options.store, name);
}
