import type { Fields } from "../../core/provider.ts";
import { type SecretRef, formatRef, refOrNone } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import type { SettingsReader } from "../../core/settings-reader.ts";
import { percentDecode } from "../../core/url.ts";
import { UserError } from "../../errors.ts";
import type { TargetOptions } from "../target.ts";

/** What a database wants to know of who logs in. `user` is undefined where only a password is kept. */
export interface Login {
  readonly user: string | undefined;
  readonly password: Secret;
}

export interface UserLogin extends Login {
  readonly user: string;
}

/** Where in a secret the login stands. */
export interface LoginPlaces {
  /** Names of fields, where they are not the usual ones. */
  readonly username?: string;
  readonly password?: string;
  /** The schemes of its URLs, without the colon. */
  readonly schemes: readonly string[];
}

const USERNAMES = ["username", "user"];
const PASSWORDS = ["password", "value"];

/** The setting `fields`: which of the secret's fields hold what. */
export function readPlaces(settings: SettingsReader, schemes: readonly string[]): LoginPlaces {
  const named = settings.group("fields", (fields) => {
    const username = fields.text("username");
    const password = fields.text("password");
    return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
  });
  return { ...named, schemes };
}

/** The setting `admin`: the secret of whoever changes passwords, as a whole. */
export function readAdmin(settings: SettingsReader): SecretRef | undefined {
  const text = settings.text("admin");
  if (text === undefined) return undefined;
  const ref = refOrNone(text);
  if (ref === undefined) return settings.fail("admin", "must be the reference of a secret");
  return ref.field === undefined ? ref : settings.fail("admin", "names a field: the whole secret is read");
}

/**
 * Of two users that take turns, the old one keeps its password until its turn comes again. One that was in plaintext is
 * ended at once, where there is an administrator who can.
 */
export function endingExposed<T extends { readonly retire: "next" | "now"; readonly admin?: SecretRef | undefined }>(
  settings: T,
  { exposed }: Pick<TargetOptions, "exposed">,
): T {
  return exposed === true && settings.admin !== undefined ? { ...settings, retire: "now" } : settings;
}

/**
 * The login that `fields` hold: in fields of their own, or in a URL, which may be any field.
 * @param name of the secret, for the message
 * @throws UserError config-invalid where there is no password in it
 */
export function readLogin(fields: Fields, places: LoginPlaces, name: string): Login {
  const { userField, passwordField, urls } = find(fields, places);
  const [url] = urls.values();
  const user = (userField === undefined ? url?.user : fields[userField]?.expose()) || undefined;
  const password = passwordField === undefined ? url?.password : fields[passwordField];
  if (password === undefined) {
    throw new UserError("config-invalid", `${name} holds no password that can be rotated`, {
      hint: "name the fields in config.jsonc: fields.username and fields.password",
    });
  }
  return { user, password };
}

/**
 * The login of one of the `users` that the settings name; of any, where they name none. `one` is the setting for a user
 * that has no other to take turns with.
 * @throws UserError config-invalid where secret and settings do not go together
 */
export function userLogin(
  fields: Fields,
  places: LoginPlaces,
  { secret, users, one }: { readonly secret: string; readonly users: readonly string[]; readonly one: string },
): UserLogin {
  const { user, password } = readLogin(fields, places, secret);
  const [only] = users.length === 1 ? users : [];
  const name = user ?? only;
  if (name === undefined) throw nameless(secret, users, one);
  if (users.length > 0 && !users.includes(name)) throw mismatch(`${secret} is of a user that its settings do not name`);
  return { user: name, password };
}

/** The login of the administrator's secret. @throws UserError config-invalid; what its store throws */
export async function adminLogin(
  { lookUp }: Pick<TargetOptions, "lookUp">,
  admin: SecretRef,
  { schemes }: LoginPlaces,
): Promise<Login> {
  return readLogin(await lookUp(admin), { schemes }, formatRef(admin));
}

export function isSame(login: Login, other: Login): boolean {
  return login.user === other.user && login.password.equals(other.password);
}

/** The same fields with another login in every place where the old one stood; all else stays as it was. */
export function withLogin(fields: Fields, places: LoginPlaces, login: Login): Fields {
  const { userField, passwordField, urls } = find(fields, places);
  const { user, password } = login;
  return {
    ...fields,
    ...(userField !== undefined && user !== undefined && { [userField]: new Secret(user) }),
    ...(passwordField !== undefined && { [passwordField]: password }),
    ...Object.fromEntries([...urls].map(([field, url]) => [field, withUserInfo(url, login)])),
  };
}

/** `migrate` stores the password of a URL, and the name stays in the URL: it cannot change with the password. */
function nameless(secret: string, users: readonly string[], one: string): UserError {
  const pair = users.length === 2 ? ", and users that take turns need it there" : "";
  const instead = users.length === 2 ? ` in place of ${one}s` : "";
  return new UserError("config-invalid", `${secret} holds a password without a user name${pair}`, {
    hint: `name the user in config.jsonc${instead}: "${one}": "…" in rotation.${secret}`,
  });
}

function mismatch(problem: string): UserError {
  return new UserError("config-invalid", problem, { hint: "mend rotation in config.jsonc" });
}

interface LoginUrl {
  readonly user: string;
  readonly password: Secret;
  /** What stands before and behind the user information. */
  readonly scheme: string;
  readonly rest: string;
}

function find(fields: Fields, { username, password, schemes }: LoginPlaces) {
  const urls = new Map<string, LoginUrl>();
  for (const [field, value] of Object.entries(fields)) {
    const url = parseUrl(value.expose(), schemes);
    if (url !== undefined) urls.set(field, url);
  }
  const has = (field: string) => Object.hasOwn(fields, field) && !urls.has(field);
  // A URL without a password, or of another system, is none: it would be lost.
  const isPassword = (field: string) => has(field) && !/^[a-z][a-z0-9+.:-]*:\/\//i.test(fields[field]?.expose() ?? "");
  return {
    userField: [username ?? USERNAMES].flat().find(has),
    passwordField: password === undefined ? PASSWORDS.find(isPassword) : [password].find(has),
    urls,
  };
}

function parseUrl(text: string, schemes: readonly string[]): LoginUrl | undefined {
  // The last @ of the authority ends the user information, as every URL parser has it.
  const found = /^([a-z][a-z0-9+.:-]*:\/\/)([^/?#:]*):([^/?#]+)(@.*)$/is.exec(text);
  const [, scheme = "", user = "", password = "", rest = ""] = found ?? [];
  // `postgresql+asyncpg`: some clients name their driver in it.
  const [system = ""] = scheme.slice(0, -3).toLowerCase().split("+");
  if (!schemes.includes(system)) return undefined;
  return { user: decode(user), password: new Secret(decode(password)), scheme, rest };
}

function withUserInfo({ scheme, rest, user: old }: LoginUrl, { user, password }: Login): Secret {
  return new Secret(`${scheme}${encode(user ?? old)}:${encode(password.expose())}${rest}`);
}

function decode(text: string): string {
  return percentDecode(text) ?? text;
}

/** RFC 3986: all but the unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}
