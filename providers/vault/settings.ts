import { isAddress, parseUrl } from "../../src/core/address.ts";
import { isSegment } from "../../src/core/ref.ts";
import { type AuthSettings, readAuth } from "./auth.ts";
import { type SettingsReader, readSettings } from "../../src/core/settings-reader.ts";

/** A store of kind `vault` in `config.jsonc`: where it is and how to log in, and no secret. */
export interface VaultSettings {
  /** Origins of the cluster's nodes: the only hosts that ever see a token. */
  readonly addresses: readonly string[];
  readonly namespace?: string;
  /** PEM file of the authorities that may vouch for the server, instead of Node's own list. */
  readonly caFile?: string;
  /** PEM files of the certificate that we show to the server. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** `http://HOST:PORT` of a proxy; those of the environment are ignored. */
  readonly proxy?: string;
  readonly auth: AuthSettings;
  /** By the first segment of a reference's path. */
  readonly mounts: Readonly<Record<string, Mount>>;
  readonly launch: LaunchSettings | "none";
  /** Absent where no copy of any secret is kept. */
  readonly stale?: StaleSettings;
}

/** Which static secrets may be used from a copy while the vault does not answer. */
export interface StaleSettings extends StaleRule {
  /** By the path of a reference: goes before what holds for the store. */
  readonly secrets: Readonly<Record<string, StaleRule>>;
}

interface StaleRule {
  readonly allowed: boolean;
  /** How old a copy may be, in seconds. */
  readonly max: number;
}

export type Mount =
  | { readonly type: "kv"; readonly path: string; readonly version: 1 | 2 }
  /** Reading `path/REST` gives fields and a lease; with `parameters` it is written, as `pki` and `ssh` want it. */
  | { readonly type: "engine"; readonly path: string; readonly parameters?: Readonly<Record<string, string>> };

/** How the token of one launch is made. `{server}` in a name stands for the name of the server. */
export interface LaunchSettings {
  /** A token role; where there is none, `auth/token/create` itself. */
  readonly role?: string;
  readonly policies: readonly string[];
  /** Seconds. */
  readonly ttl: number;
  readonly maxTtl: number;
  /** A credential that would die sooner is not handed out. Seconds. */
  readonly minTtl: number;
}

const SERVER_POLICY = "mcp-{server}";
/** Seconds: what a missed revocation may cost, how long a server may run, what a credential must live for. */
const TTL = 600;
const MAX_TTL = 86_400;
const MIN_TTL = 60;
/** A working day: longer than most outages, and shorter than the patience of who revokes a secret. */
const MAX_STALE = 8 * 3600;
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * The settings of a store, read strictly: an unknown or misspelt name is an error, because it might be a guard.
 * @throws UserError config-invalid, naming the setting and never its value
 */
export function parseVaultSettings(store: string, value: unknown): VaultSettings {
  return readSettings(store, value, (settings) => {
    const caFile = settings.text("caFile");
    const certFile = settings.text("certFile");
    const keyFile = settings.text("keyFile");
    const namespace = settings.text("namespace", isPath);
    const proxy = settings.text("proxy", isProxy);
    const stale = readStale(settings);
    if ((certFile === undefined) !== (keyFile === undefined)) settings.fail("certFile", "and keyFile go together");
    return {
      addresses: settings.texts("addresses", isAddress).map((address) => new URL(address).origin),
      auth: settings.group("auth", readAuth) ?? { method: "token", tokenFile: "~/.vault-token" },
      mounts: settings.table("mounts", isSegment, readMount) ?? { kv: { type: "kv", path: "secret", version: 2 } },
      launch: readLaunch(settings),
      ...(caFile !== undefined && { caFile }),
      ...(certFile !== undefined && { certFile }),
      ...(keyFile !== undefined && { keyFile }),
      ...(namespace !== undefined && { namespace }),
      ...(proxy !== undefined && { proxy }),
      ...(stale !== undefined && { stale }),
    };
  });
}

function readMount(mount: SettingsReader): Mount {
  const type = mount.choice("type", ["kv", "engine"]) ?? "kv";
  const path = mount.required("path", isPath);
  if (type === "kv") return { type, path, version: mount.choice("version", [1, 2]) ?? 2 };
  const parameters = mount.strings("parameters");
  return parameters === undefined ? { type, path } : { type, path, parameters };
}

function readLaunch(settings: SettingsReader): LaunchSettings | "none" {
  if (settings.is("launch", "none")) return "none";
  const given = settings.group("launch", (launch) => {
    const role = launch.text("role", isName);
    const ttl = seconds(launch, "ttl") ?? TTL;
    const minTtl = seconds(launch, "minTtl") ?? Math.min(MIN_TTL, Math.floor(ttl / 2));
    if (minTtl >= ttl) launch.fail("minTtl", "must be less than ttl");
    return {
      policies: launch.has("policies") ? launch.texts("policies", isName) : [SERVER_POLICY],
      ttl,
      maxTtl: Math.max(ttl, seconds(launch, "maxTtl") ?? MAX_TTL),
      minTtl,
      ...(role !== undefined && { role }),
    };
  });
  return given ?? { policies: [SERVER_POLICY], ttl: TTL, maxTtl: MAX_TTL, minTtl: MIN_TTL };
}

function readStale(settings: SettingsReader): StaleSettings | undefined {
  const rule = staleRule(settings, { allowed: false, max: MAX_STALE });
  const secrets = settings.table("secrets", isPath, (secret) => staleRule(secret, rule)) ?? {};
  const any = [rule, ...Object.values(secrets)].some(({ allowed }) => allowed);
  return any ? { ...rule, secrets } : undefined;
}

function staleRule(settings: SettingsReader, otherwise: StaleRule): StaleRule {
  const stale = settings.choice("stale", ["allow", "never"]);
  return {
    allowed: stale === undefined ? otherwise.allowed : stale === "allow",
    max: seconds(settings, "maxStale") ?? otherwise.max,
  };
}

/** How old a copy of a static secret may be, in milliseconds; undefined where there must be none. */
export function staleFor({ stale, mounts }: VaultSettings, path: string): number | undefined {
  const name = path.slice(0, Math.max(0, path.indexOf("/")));
  const isStatic = Object.hasOwn(mounts, name) && mounts[name]?.type === "kv";
  if (stale === undefined || !isStatic) return undefined;
  const rule = Object.hasOwn(stale.secrets, path) ? stale.secrets[path] : stale;
  return rule?.allowed === true ? rule.max * 1000 : undefined;
}

/** `90s`, `10m`, `24h` in seconds. */
function seconds(settings: SettingsReader, name: string): number | undefined {
  const text = settings.text(name, (given) => /^[1-9][0-9]{0,6}[smhd]$/.test(given));
  return text === undefined ? undefined : Number(text.slice(0, -1)) * (UNITS[text.slice(-1)] ?? 1);
}

function isProxy(text: string): boolean {
  const url = parseUrl(text);
  return url?.protocol === "http:" && url.username === "" && url.pathname === "/" && url.search === "";
}

/** One or more segments of the reference grammar. */
export function isPath(text: string): boolean {
  return text.split("/").every(isSegment);
}

function isName(text: string): boolean {
  return isSegment(text.replaceAll("{server}", "s"));
}
