import { type SecretRef, formatRef } from "../../../core/ref.ts";
import { type SettingsReader, readSettingsAt } from "../../../core/settings-reader.ts";
import { type LoginPlaces, readAdmin, readPlaces } from "../login.ts";
import { type TlsSettings, readTls } from "../tls.ts";

export interface MysqlSettings {
  readonly host: string;
  readonly port: number;
  /** The database that a login must get into; undefined: none. */
  readonly database: string | undefined;
  readonly tls: TlsSettings;
  /**
   * dual: MySQL keeps the old password beside the new one. pair: two users take turns. single: one user with one
   * password.
   */
  readonly mode: "dual" | "pair" | "single";
  /** The two that take turns, or the one; none: the one whose name is in the secret. */
  readonly users: readonly string[];
  /** The host part of the accounts. */
  readonly userHost: string;
  readonly admin: SecretRef | undefined;
  /** When the old one of two users loses its password: when its turn comes again, or once nobody needs it. */
  readonly retire: "next" | "now";
  readonly places: LoginPlaces;
}

const SCHEMES = ["mysql", "mariadb", "mysql2", "jdbc:mysql", "jdbc:mariadb"];

/** @throws UserError config-invalid */
export function parseMysql(ref: SecretRef, value: unknown): MysqlSettings {
  return readSettingsAt(`rotation.${formatRef(ref)}`, value, (settings) => {
    const host = settings.required("host");
    const tls = readTls(settings, host);
    // The driver compares the certificate with a name only.
    if (tls.mode === "verify-full" && isAddress(host)) settings.fail("host", "must be a name where tls is verify-full");
    const admin = readAdmin(settings);
    const mode = readMode(settings);
    if (mode === "dual" && admin === undefined) settings.fail("admin", "is missing: a second password needs it");
    const retire = settings.choice("retire", ["next", "now"]) ?? "next";
    if (retire === "now" && admin === undefined)
      settings.fail("retire", "needs admin: the new user has no say over the old one");
    return {
      host,
      port: settings.number("port", 1, 65_535) ?? 3306,
      database: settings.text("database"),
      tls,
      mode,
      users: readUsers(settings),
      userHost: settings.text("userHost", isName) ?? "%",
      admin,
      retire,
      places: readPlaces(settings, SCHEMES),
    };
  });
}

function readMode(settings: SettingsReader): MysqlSettings["mode"] {
  const single = settings.flag("single") === true;
  if (single && settings.has("users")) settings.fail("single", "and users exclude each other");
  if (single) return "single";
  return settings.has("users") ? "pair" : "dual";
}

function readUsers(settings: SettingsReader): readonly string[] {
  if (settings.has("user") && settings.has("users")) settings.fail("user", "and users exclude each other");
  const user = settings.text("user", isName);
  if (user !== undefined) return [user];
  if (!settings.has("users")) return [];
  const users = settings.texts("users", isName);
  if (users.length !== 2 || users[0] === users[1]) settings.fail("users", "must be two users that take turns");
  return users;
}

function isName(name: string): boolean {
  return !name.includes("\0");
}

function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+(\.\d+){3}$/.test(host);
}
