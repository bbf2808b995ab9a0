import { join } from "node:path";
import type { Provider, StoreOptions } from "../../src/core/provider.ts";
import type { SecretRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { createApi } from "./api.ts";
import { checkApp } from "./check.ts";
import { appToken } from "./jwt.ts";
import { type AppParts, openScope, reapTokens, resolveTokens } from "./scope.ts";
import { type GitHubSettings, parseGitHubSettings } from "./settings.ts";
import { openTokenVault, type TokenOptions } from "./tokens.ts";

/**
 * Tokens of a GitHub App's installation (class E): nothing is kept, each launch gets its own, for the repositories and
 * permissions that its path names. What is stored is the app's private key, in the local store.
 * @throws UserError config-invalid
 */
export function open(
  options: StoreOptions,
): Required<Pick<Provider, "resolve" | "scope" | "reap" | "check" | "policyFor">> {
  const parts = partsOf(options, parseGitHubSettings(options.store, options.settings));
  return {
    resolve: (refs, request) => resolveTokens(parts, refs, request),
    scope: async (_, __, journal) => openScope(parts, journal),
    reap: (remains, request) => reapTokens(parts, remains, request),
    check: (request) => checkApp(parts, request),
    policyFor: (_, refs) => permissionsText(parts.settings, refs),
  };
}

function partsOf(options: StoreOptions, settings: GitHubSettings): AppParts {
  const { store, http, now, chance, files, home, openSeal } = options;
  const api = () => {
    const ca = settings.caFile === undefined ? {} : { ca: readCa(options, settings.caFile) };
    return createApi({ store, api: settings.api, http, now, chance, ...ca });
  };
  const tokens = async (): Promise<TokenOptions> => {
    const { value: key } = await options.lookUp(settings.key);
    return {
      store,
      installation: settings.installation,
      api: api(),
      // Each request has one of its own: they end in minutes.
      appToken: () => new Secret(appToken(store, settings.app, key, now())),
    };
  };
  return { store, settings, now, tokens, api, vault: openTokenVault(files, home, openSeal) };
}

function readCa({ files, userHome }: StoreOptions, path: string): string {
  return files.read(path.startsWith("~/") ? join(userHome, path.slice(2)) : path).toString("utf8");
}

/** What the installation must have so that these references can be resolved. */
function permissionsText({ tokens }: GitHubSettings, refs: readonly SecretRef[]): string {
  const lines = [...new Set(refs.map(({ path }) => path))].toSorted().flatMap((path) => {
    const token = Object.hasOwn(tokens, path) ? tokens[path] : undefined;
    if (token === undefined) return [];
    const where = token.repositories === "all" ? "all repositories" : token.repositories.join(", ");
    const rights = Object.entries(token.permissions).map(([name, level]) => `  ${name}: ${level}`);
    return [`# ${path}: ${where}`, ...rights];
  });
  return `${lines.join("\n")}\n`;
}
