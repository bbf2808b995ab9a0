import type { ProviderModule, ProviderName } from "../src/core/provider.ts";

/** The providers by name; each is loaded only when a store of its kind is used. */
export const providers = {
  local: () => import("./local/index.ts"),
  // A chunk of its own, dist/vault.cjs: a launch that needs only the local store loads nothing of it.
  vault: () => import("#vault"),
} satisfies Record<ProviderName, () => Promise<ProviderModule>>;

export const loadSeal = () => import("./local/seal.ts");
