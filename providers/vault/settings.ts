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
