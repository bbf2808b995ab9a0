import { isAddress, parseUrl } from "../../src/core/address.ts";
import { isSegment, parseRef, type SecretRef } from "../../src/core/ref.ts";
import { readSettings, type SettingsReader } from "../../src/core/settings-reader.ts";

/** A store of kind `github-app` in `config.jsonc`: an installation of an app, and which tokens it may be asked for. */
export interface GitHubSettings {
  /** Where the REST API is, without a slash at the end: of github.com, or of a GitHub Enterprise Server. */
  readonly api: string;
  readonly caFile?: string;
  /** The app's client id, or its number: what the JWT is issued by. */
  readonly app: string;
  readonly installation: number;
  /** The app's private key, in the local store. */
  readonly key: SecretRef;
  /** By the path of a reference. */
  readonly tokens: Readonly<Record<string, TokenSettings>>;
}

/** What one token may do. */
export interface TokenSettings {
  /** Names without their owner; all of the installation only where the settings say so outright. */
  readonly repositories: readonly string[] | "all";
  readonly permissions: Readonly<Record<string, Level>>;
}

export const LEVELS = ["read", "write", "admin"] as const;
export type Level = (typeof LEVELS)[number];

/** More cannot be listed (REST API, "Create an installation access token for an app"). */
const MOST_REPOSITORIES = 500;

/** @throws UserError config-invalid, naming the setting and never its value */
export function parseGitHubSettings(store: string, value: unknown): GitHubSettings {
  return readSettings(store, value, (settings) => {
    const caFile = settings.text("caFile");
    const key = parseRef(settings.required("key"));
    if (key.store !== "local") settings.fail("key", "must be a reference to the local store");
    return {
      api: (settings.text("endpoint", isApi) ?? "https://api.github.com").replace(/\/$/, ""),
      app: settings.required("app", (text) => /^[A-Za-z0-9._-]{1,64}$/.test(text)),
      installation:
        settings.number("installation", 1, Number.MAX_SAFE_INTEGER) ?? settings.fail("installation", "is missing"),
      key,
      tokens: settings.table("tokens", isSegment, readToken) ?? settings.fail("tokens", "is missing"),
      ...(caFile !== undefined && { caFile }),
    };
  });
}

function readToken(token: SettingsReader): TokenSettings {
  const all = token.flag("allRepositories") === true;
  if (all && token.has("repositories")) token.fail("repositories", "and allRepositories exclude each other");
  const repositories = all ? "all" : token.texts("repositories", (name) => /^[A-Za-z0-9._-]{1,100}$/.test(name));
  if (repositories.length > MOST_REPOSITORIES) token.fail("repositories", `must be ${MOST_REPOSITORIES} at most`);
  return { repositories, permissions: readPermissions(token) };
}

function readPermissions(token: SettingsReader): Readonly<Record<string, Level>> {
  const given = Object.entries(token.strings("permissions") ?? {});
  if (given.length === 0) token.fail("permissions", "must name at least one");
  const read = given.map(([name, text]) => {
    const level = LEVELS.find((each) => each === text);
    if (level === undefined || !/^[a-z_]{1,60}$/.test(name))
      token.fail("permissions", "must be read, write or admin by name");
    return [name, level ?? "read"] as const;
  });
  return Object.fromEntries(read);
}

/** `https://api.github.com`, `https://HOST/api/v3`. */
function isApi(text: string): boolean {
  const url = parseUrl(text);
  if (url === undefined || url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "")
    return false;
  return isAddress(url.origin) && /^(\/[A-Za-z0-9._-]+)*\/?$/.test(url.pathname);
}
