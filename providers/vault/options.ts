import type { ProviderOptions } from "../../src/core/provider.ts";
import type { SecretRef } from "../../src/core/ref.ts";
import type { Secret } from "../../src/core/secret.ts";

/** What this provider gets from outside, beside what every provider gets. */
export interface VaultOptions extends ProviderOptions {
  /** The store's entry in `config.jsonc`, as it was parsed from JSON. */
  readonly settings: unknown;
  /** What `~` stands for. */
  readonly userHome: string;
  readonly platform: NodeJS.Platform;
  /** The machine's name, for the vault's audit log. */
  readonly host: string;
  /** A number in [0, 1). */
  readonly chance: () => number;
  /** Resolves a reference to another store: a bootstrap password kept in the local one. */
  readonly lookUp?: (ref: SecretRef) => Promise<{ readonly value: Secret; readonly version?: number }>;
}
