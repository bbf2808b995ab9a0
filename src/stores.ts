import { loadSeal, providers } from "../providers/index.ts";
import type { Context } from "./context.ts";
import type { Provider, ProviderName } from "./core/provider.ts";
import type { Seal } from "./core/seal.ts";
import { UserError } from "./errors.ts";

/** Which stores there are. `local` needs no configuration; others will come from `config.jsonc` in the home folder. */

export interface StoreConfig {
  /** As in references. */
  readonly name: string;
  readonly provider: ProviderName;
}

/** What a store gets of the Context. */
export type StoreHost = Pick<Context, "home" | "files" | "lock" | "now">;

const LOCAL: StoreConfig = { name: "local", provider: "local" };

export function configuredStores(): readonly StoreConfig[] {
  return [LOCAL];
}

/** @throws UserError store-unknown */
export async function openStore({ home, files, lock, now }: StoreHost, name: string): Promise<Provider> {
  const stores = configuredStores();
  const config = stores.find((store) => store.name === name);
  if (config === undefined) {
    throw new UserError("store-unknown", `there is no store ${name}`, {
      hint: `stores: ${stores.map((store) => store.name).join(", ")}`,
    });
  }
  const { open } = await providers[config.provider]();
  return open({ store: name, home, files, lock, now });
}

/** For backups: of the local store's key, whatever store is used. */
export async function openSeal({ home, files, lock, now }: StoreHost): Promise<Seal> {
  const seal = await loadSeal();
  return seal.openSeal({ store: LOCAL.name, home, files, lock, now });
}
