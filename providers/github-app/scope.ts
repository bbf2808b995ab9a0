import { inParallel } from "../../src/core/parallel.ts";
import type {
  LaunchScope,
  Lease,
  LeaseJournal,
  Remains,
  ResolvedSecret,
  ResolveRequest,
} from "../../src/core/provider.ts";
import { fieldOf, formatRef, type SecretRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { Api } from "./api.ts";
import type { GitHubSettings, TokenSettings } from "./settings.ts";
import { type InstallationToken, mintToken, revokeToken, type TokenOptions, type TokenVault } from "./tokens.ts";

export interface AppParts {
  readonly store: string;
  readonly settings: GitHubSettings;
  readonly now: () => number;
  /** Reads the app's private key. */
  readonly tokens: () => Promise<TokenOptions>;
  readonly api: () => Api;
  readonly vault: TokenVault;
}

/** The store as one launch sees it: each path is a token that is made for this launch, and ended with it. */
export function openScope(parts: AppParts, journal: LeaseJournal): LaunchScope {
  let noted: Promise<void> | undefined;
  return {
    credential: undefined,
    async resolve(refs, request) {
      const groups = groupsOf(parts, refs);
      await (noted ??= journal.intent());
      const tokens = await parts.tokens();
      const found = await inParallel(groups, async ({ path, wanted, token }) => {
        const minted = await mintToken(tokens, token, request);
        const lease = await leaseFor(parts, path, minted);
        await journal.leased(lease);
        return answer(wanted, minted, lease);
      });
      return found.flat();
    },
    async renew() {
      throw new UserError("refused", "GitHub renews no token of an installation");
    },
    extend: async () => undefined,
    end: async (leases, request) => ({ leases: await revokeAll(parts, idsOf(leases), request), credentials: [] }),
  };
}

/** Outside a launch, for `get`: whoever asks has it until its hour is over. */
export async function resolveTokens(
  parts: AppParts,
  refs: readonly SecretRef[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  const groups = groupsOf(parts, refs);
  const tokens = await parts.tokens();
  const found = await inParallel(groups, async ({ wanted, token }) =>
    answer(wanted, await mintToken(tokens, token, request), undefined),
  );
  return found.flat();
}

export async function reapTokens(parts: AppParts, { leases }: Remains, request: ResolveRequest): Promise<Remains> {
  const left = await revokeAll(parts, leases, request);
  parts.vault.sweep(parts.now());
  return { leases: left, credentials: [] };
}

/** Ids of those that could not be ended. */
async function revokeAll(parts: AppParts, ids: readonly string[], request: ResolveRequest): Promise<string[]> {
  const left = await Promise.all(
    ids.map(async (id) => {
      try {
        const token = await parts.vault.find(id);
        if (token !== undefined) await revokeToken(parts.api(), token, request);
        parts.vault.forget(id);
        return [];
      } catch (error) {
        if (error instanceof UserError) return [id];
        throw error;
      }
    }),
  );
  return left.flat();
}

async function leaseFor({ store, now, vault }: AppParts, path: string, { value, expiresAt }: InstallationToken) {
  const lease: Lease = {
    id: await vault.keep(value),
    ref: { store, path },
    expiresAt,
    duration: Math.max(0, expiresAt - now()),
    renewable: false,
  };
  return lease;
}

interface Group {
  readonly path: string;
  readonly wanted: readonly SecretRef[];
  readonly token: TokenSettings;
}

/** All of one path, which are of one token. @throws UserError secret-not-found, before anything is made */
function groupsOf({ store, settings }: AppParts, refs: readonly SecretRef[]): Group[] {
  return [...new Set(refs.map(({ path }) => path))].map((path) => {
    const token = Object.hasOwn(settings.tokens, path) ? settings.tokens[path] : undefined;
    if (token === undefined) throw noToken(store, path, settings);
    const wanted = refs.filter((ref) => ref.path === path);
    for (const ref of wanted) {
      if (!Object.hasOwn(FIELDS, fieldOf(ref))) throw noField(ref);
    }
    return { path, wanted, token };
  });
}

const FIELDS: Readonly<Record<string, (token: InstallationToken) => Secret>> = {
  value: ({ value }) => value,
  token: ({ value }) => value,
  expires_at: ({ expiresAt }) => new Secret(new Date(expiresAt).toISOString()),
};

function answer(refs: readonly SecretRef[], token: InstallationToken, lease: Lease | undefined): ResolvedSecret[] {
  return refs.flatMap((ref) => {
    const value = FIELDS[fieldOf(ref)]?.(token);
    return value === undefined ? [] : [{ ref, value, ...(lease !== undefined && { lease }) }];
  });
}

function noToken(store: string, path: string, { tokens }: GitHubSettings): UserError {
  return new UserError("secret-not-found", `store ${store} has no token ${path}`, {
    hint: `its tokens are ${Object.keys(tokens).join(", ")}: see stores.${store}.tokens in config.jsonc`,
  });
}

function noField(ref: SecretRef): UserError {
  return new UserError("secret-not-found", `${formatRef(ref)}: a token has no such field`, {
    hint: `its fields are ${Object.keys(FIELDS).join(", ")}: name one after #`,
  });
}

function idsOf(leases: readonly Lease[]): string[] {
  return leases.map(({ id }) => id);
}
