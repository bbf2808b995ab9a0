import { type SecretRef, formatRef } from "../../../core/ref.ts";
import { type SettingsReader, readSettingsAt } from "../../../core/settings-reader.ts";
import { type LoginPlaces, readAdmin, readPlaces } from "../login.ts";
import { type TlsSettings, readTls } from "../tls.ts";

export interface PostgresqlSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly tls: TlsSettings;
  /** Two that take turns (class O), or one (class X); none: the one whose name is in the secret, alone. */
  readonly roles: readonly string[];
  /** Whose login changes passwords; where it is not given, the login itself does. */
  readonly admin?: SecretRef;
  /** When the old one of two roles loses its password: when its turn comes again, or once nobody needs it. */
  readonly retire: "next" | "now";
  readonly places: LoginPlaces;
}

const SCHEMES = ["postgresql", "postgres"];
/** Bytes (NAMEDATALEN - 1): the server cuts what is longer off, and would change another role. */
const LONGEST_NAME = 63;

/** @throws UserError config-invalid */
export function parsePostgresql(ref: SecretRef, value: unknown): PostgresqlSettings {
  return readSettingsAt(`rotation.${formatRef(ref)}`, value, (settings) => {
    const host = settings.required("host");
    const admin = readAdmin(settings);
    const retire = settings.choice("retire", ["next", "now"]) ?? "next";
    if (retire === "now" && admin === undefined)
      settings.fail("retire", "needs admin: the old role has no say over itself");
    return {
      host,
      port: settings.number("port", 1, 65_535) ?? 5432,
      database: settings.required("database"),
      tls: readTls(settings, host),
      roles: readRoles(settings),
      retire,
      places: readPlaces(settings, SCHEMES),
      ...(admin !== undefined && { admin }),
    };
  });
}

function readRoles(settings: SettingsReader): readonly string[] {
  if (settings.has("role") && settings.has("roles")) settings.fail("role", "and roles exclude each other");
  const role = settings.text("role", isRole);
  if (role !== undefined) return [role];
  if (!settings.has("roles")) return [];
  const roles = settings.texts("roles", isRole);
  if (roles.length !== 2 || roles[0] === roles[1]) settings.fail("roles", "must be two roles that take turns");
  return roles;
}

function isRole(name: string): boolean {
  return Buffer.byteLength(name) <= LONGEST_NAME && !name.includes("\0");
}
