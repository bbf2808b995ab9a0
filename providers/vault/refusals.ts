import type { StoreOptions } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import { numberOf, textOf } from "./shape.ts";
import { dropState, readState, writeState } from "./state.ts";

/** How long Vault and OpenBao lock an account after five failed logins, and refuse the right credential too. */
const LOCK_MINUTES = 15;

/**
 * Clients start a failing server again and again: five tries would lock the account for everybody. What was refused is
 * therefore not tried again until the file changes, the time has passed, or `store check` is asked to try.
 * @throws UserError store-login
 */
export function refuseRepeat(options: StoreOptions, origin: string): void {
  const refused = readState(options, "refused");
  const at = numberOf(refused, "at") ?? 0;
  if (textOf(refused, "origin") !== origin || options.now() - at > LOCK_MINUTES * 60_000) return;
  const when = new Date(at).toISOString();
  throw new UserError("store-login", `store ${options.store} refused this credential at ${when}; not tried again`, {
    hint: `replace the credential, or try it with: mcp-secrets store check ${options.store}`,
  });
}

export async function noteRefusal(options: StoreOptions, origin: string): Promise<void> {
  await writeState(options, "refused", { origin, at: options.now() });
}

export function forgetRefusal(options: StoreOptions): void {
  dropState(options, "refused");
}
