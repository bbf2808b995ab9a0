import type { StoreOptions } from "../../src/core/provider.ts";
import { join } from "node:path";
import { UserError } from "../../src/errors.ts";
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

export interface Task<T> {
  readonly look: () => T | undefined;
  readonly work: () => Promise<T>;
  /** When the answer is too late, in milliseconds since the epoch. */
  readonly deadline: number;
}

/**
 * One process at a time does `work`; the others wait and take what it left for `look` to find.
 * @throws UserError store-timeout where the one that is at it does not come to an end in time
 */
export async function once<T>(options: StoreOptions, name: StateName, task: Task<T>): Promise<T> {
  const found = task.look();
  if (found !== undefined) return found;
  let state: "waiting" | "holding" | "gone" = "waiting";
  const locked = options.lock(`${pathOf(options, name)}.lock`, async () => {
    if (state === "gone") throw tooLate(options);
    state = "holding";
    return task.look() ?? (await task.work());
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const end = () => {
      // The work itself has the same deadline.
      if (state === "holding") return;
      state = "gone";
      reject(tooLate(options));
    };
    timer = setTimeout(end, Math.max(0, task.deadline - options.now()));
  });
  try {
    return await Promise.race([locked, late]);
  } finally {
    clearTimeout(timer);
    // What becomes of it after us is nobody's concern.
    locked.catch(() => {});
  }
}

function tooLate({ store }: StoreOptions): UserError {
  return new UserError("store-timeout", `store ${store}: another launch is logging in, and does not come to an end`, {
    hint: `mcp-secrets store check ${store}`,
  });
}

function pathOf(options: StoreOptions, name: StateName): string {
  return join(options.home, "vault", options.store, name);
}
