import type { ProviderModule, ProviderName } from "../src/core/provider.ts";

/** The providers by name; each is loaded only when a store of its kind is used. */
export const providers = {
  local: () => import("./local/index.ts"),
  // Chunks of their own, dist/vault.cjs, dist/aws.cjs, …: a launch that needs only the local store loads nothing of them.
  vault: () => import("#vault"),
  aws: () => import("#aws"),
  "github-app": () => import("#github-app"),
} satisfies Record<ProviderName, () => Promise<ProviderModule>>;

export const loadSeal = () => import("./local/seal.ts");
export const loadResealer = () => import("./local/reseal.ts");
