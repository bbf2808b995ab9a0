import { join } from "node:path";
import type { ProviderOptions } from "../../src/core/provider.ts";
import type { Seal } from "../../src/core/seal.ts";
import { UserError } from "../../src/errors.ts";
import { decrypt, encrypt } from "./age/age.ts";
import { AgeError } from "./age/error.ts";
import { openLocalStore } from "./store.ts";

/** Seals with the key of the local store, whatever store the secrets go to: a backup must open without a network. */
export function openSeal(options: ProviderOptions): Seal {
  const { keyring, folder } = openLocalStore(options);
  return {
    close: async (bytes) => encrypt(bytes, await keyring.recipients()),
    open: (sealed) => {
      try {
        return decrypt(sealed, keyring.identities());
      } catch (error) {
        if (!(error instanceof AgeError)) throw error;
        if (error.reason !== "no-match") {
          throw new UserError("not-restorable", `a backup cannot be opened: ${error.message}`, { cause: error });
        }
        throw new UserError("store-locked", "a backup was written for another key", {
          hint: `put the right key back at ${join(folder, "identity")}`,
          cause: error,
        });
      }
    },
  };
}
