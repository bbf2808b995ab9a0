import { loadSeal, providers } from "../providers/index.ts";
import type { Context } from "./context.ts";
import { withoutJournals } from "./core/journal.ts";
import type { Provider } from "./core/provider.ts";
import type { SecretRef } from "./core/ref.ts";
import type { Seal } from "./core/seal.ts";
import { UserError } from "./errors.ts";
import { readSettings, type StoreSettings } from "./settings.ts";

/** Which stores there are. `local` needs no configuration; the others are in `config.jsonc` in the home folder. */

/** What a store gets of the Context. */
export type StoreHost = Pick<
  Context,
  "home" | "files" | "lock" | "now" | "userHome" | "platform" | "hostname" | "random" | "http"
> &
  Partial<Pick<Context, "threads">>;

const LOCAL: StoreSettings = { name: "local", provider: "local", settings: {} };

/** @throws UserError config-invalid */
export async function configuredStores(host: Pick<StoreHost, "home" | "files">): Promise<readonly StoreSettings[]> {
  return [LOCAL, ...readSettings(host).stores];
}

/** The store that a command uses where none is named. @throws UserError config-invalid */
export async function defaultStore(host: Pick<StoreHost, "home" | "files">): Promise<string> {
  return readSettings(host).defaultStore;
}

/** @throws UserError store-unknown, config-invalid */
export async function openStore(host: StoreHost, name: string): Promise<Provider> {
  const { provider, settings } = name === LOCAL.name ? LOCAL : await findStore(host, name);
  const { open } = await providers[provider]();
  const { home, files, lock, now, userHome, platform, hostname, threads } = host;
  const opened: Provider = await open({
    store: name,
    home,
    files,
    lock,
    now,
    settings,
    userHome,
    platform,
    host: hostname,
    chance: () => chanceOf(host.random()),
    lookUp: (ref) => lookUp(host, ref),
    http: host.http,
    openSeal: () => openSeal(host),
    ...(threads === undefined ? {} : { threads }),
  });
  return withoutJournals(opened);
}

/** For backups: of the local store's key, whatever store is used. */
export async function openSeal({ home, files, lock, now }: StoreHost): Promise<Seal> {
  const seal = await loadSeal();
  return seal.openSeal({ store: LOCAL.name, home, files, lock, now });
}

async function findStore(host: StoreHost, name: string): Promise<StoreSettings> {
  const stores = await configuredStores(host);
  const found = stores.find((store) => store.name === name);
  if (found !== undefined) return found;
  throw new UserError("store-unknown", `there is no store ${name}`, {
    hint: `stores: ${stores.map((store) => store.name).join(", ")}`,
  });
}

/** A password that opens another store: only in the store that needs none itself. */
async function lookUp(host: StoreHost, ref: SecretRef) {
  if (ref.store !== LOCAL.name) {
    throw new UserError("config-invalid", "a password for a store can only be kept in the local one", {
      hint: "write mcp-secret://local/… in config.jsonc",
    });
  }
  const provider = await openStore(host, ref.store);
  const [found] = await provider.resolve([ref], { deadline: host.now() + LOOK_UP });
  if (found === undefined) throw new Error("a store that gave no answer");
  return found;
}

/** Milliseconds: the local store asks nobody. */
const LOOK_UP = 5_000;

/** A number in [0, 1) from the first 32 of the random bits, which are written in hexadecimal. */
function chanceOf(bits: string): number {
  return Number.parseInt(bits.slice(0, 8), 16) / 2 ** 32;
}
