import { type SecretRef, formatRef } from "../../../core/ref.ts";
import { type SettingsReader, readSettingsAt } from "../../../core/settings-reader.ts";
import { type LoginPlaces, readAdmin, readPlaces } from "../login.ts";
import { type TlsSettings, readTls } from "../tls.ts";

export interface RedisSettings {
  /** Each has users of its own: they are not replicated. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly tls: TlsSettings;
  /** Where the secret does not name one: it, or `default`. */
  readonly user: string | undefined;
  readonly admin: SecretRef | undefined;
  /** Where a node keeps its users: in its ACL file, in its configuration, or nowhere that is ours to write. */
  readonly persist: "acl" | "config" | "none";
  readonly places: LoginPlaces;
}

const SCHEMES = ["redis", "rediss", "valkey", "valkeys"];
const PORT = 6379;

/** @throws UserError config-invalid */
export function parseRedis(ref: SecretRef, value: unknown): RedisSettings {
  return readSettingsAt(`rotation.${formatRef(ref)}`, value, (settings) => {
    const nodes = readNodes(settings);
    return {
      nodes,
      tls: readTls(settings, ...nodes.map(({ host }) => host)),
      user: settings.text("user", (name) => !/[\s\0]/.test(name)),
      admin: readAdmin(settings),
      persist: settings.choice("persist", ["acl", "config", "none"]) ?? "acl",
      places: readPlaces(settings, SCHEMES),
    };
  });
}

function readNodes(settings: SettingsReader): RedisSettings["nodes"] {
  const port = settings.number("port", 1, 65_535);
  if (!settings.has("nodes")) return [{ host: settings.required("host"), port: port ?? PORT }];
  if (settings.has("host") || port !== undefined) settings.fail("nodes", "and host exclude each other");
  return settings.texts("nodes", (node) => parseNode(node) !== undefined).flatMap((node) => parseNode(node) ?? []);
}

/** `HOST:PORT`, or `HOST` alone. */
function parseNode(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, inBrackets, plain, port = String(PORT)] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = inBrackets ?? plain;
  return host === undefined || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
}
