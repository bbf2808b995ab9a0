import type { ProviderOptions } from "../../src/core/provider.ts";
import type { Seal } from "../../src/core/seal.ts";
import { UserError } from "../../src/errors.ts";
import { decrypt, encrypt } from "./age/age.ts";
import { AgeError } from "./age/error.ts";
import { openLocalStore } from "./store.ts";

/** Seals with the key of the local store, whatever store the secrets go to: a backup must open without a network. */
export function openSeal(options: ProviderOptions): Seal {
  const { keyring } = openLocalStore(options);
  return {
    close: async (bytes) => encrypt(bytes, await keyring.recipients()),
    open: (sealed) => {
      try {
        return decrypt(sealed, keyring.identities());
      } catch (error) {
        if (!(error instanceof AgeError)) throw error;
        const code = error.reason === "no-match" ? "store-locked" : "not-restorable";
        throw new UserError(code, `a backup cannot be opened: ${error.message}`, { cause: error });
      }
    },
  };
}
