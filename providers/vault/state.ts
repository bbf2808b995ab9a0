import type { StoreOptions } from "../../src/core/provider.ts";
import { join } from "node:path";
import { asObject, type Json } from "./shape.ts";

/**
 * The store's own small files under the home of mcp-secrets, 0600: what launches share so that a hundred of them at
 * once log in one time.
 */
type StateName = "token" | "secret-id" | "refused";

export function readState(options: StoreOptions, name: StateName): Json | undefined {
  const bytes = options.files.readIfExists(pathOf(options, name));
  if (bytes === undefined) return undefined;
  try {
    return asObject(JSON.parse(bytes.toString("utf8")));
  } catch {
    return undefined;
  }
}

export async function writeState(options: StoreOptions, name: StateName, state: Json): Promise<void> {
  await options.files.writePrivate(pathOf(options, name), JSON.stringify(state));
}

export function dropState(options: StoreOptions, name: StateName): void {
  options.files.remove(pathOf(options, name));
}

/**
 * One process at a time does `work`; the others wait and take what it left for `look` to find.
 * @throws UserError locked where the one that is at it does not come to an end
 */
export async function once<T>(
  options: StoreOptions,
  name: StateName,
  task: { readonly look: () => T | undefined; readonly work: () => Promise<T> },
): Promise<T> {
  const found = task.look();
  if (found !== undefined) return found;
  return options.lock(`${pathOf(options, name)}.lock`, async () => task.look() ?? (await task.work()));
}

function pathOf(options: StoreOptions, name: StateName): string {
  return join(options.home, "vault", options.store, name);
}
