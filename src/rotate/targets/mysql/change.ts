import type { SecretRef } from "../../../core/ref.ts";
import { refused } from "../failure.ts";
import { reasonOf } from "../system.ts";
import type { Query } from "./connection.ts";
import { errorNumber } from "./failure.ts";
import { account, grantsFor, grantsOf, isNothing } from "./grants.ts";
import { type PasswordPlugin, passwordHash } from "./hash.ts";

export interface Server {
  readonly isMariaDb: boolean;
  /** Whether an account may have two passwords: MySQL from 8.0.14 on. */
  readonly keepsTwo: boolean;
}

/** An account and the password that it is to have. */
export interface Change {
  readonly ref: SecretRef;
  readonly user: string;
  readonly host: string;
  readonly password: string;
  /** 20 unpredictable bytes. */
  readonly salt: Uint8Array;
}

/** No such user: as ALTER USER says it, and SHOW CREATE USER of MariaDB. */
const UNKNOWN_USER = 1396;
const NO_ROW = 1133;
/** No right to look, in three forms. */
const DENIED = [1044, 1142, 1227];

/** What a server says that it is: both speak one protocol, and tell themselves apart in `VERSION()`. */
export function serverOf(version: string): Server {
  const isMariaDb = /mariadb/i.test(version);
  const [, major = 0, minor = 0, patch = Infinity] = (/^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? []).map(Number);
  const number = major * 1_000_000 + minor * 1000 + (Number.isFinite(patch) ? patch : 999);
  return { isMariaDb, keepsTwo: !isMariaDb && number >= 8_000_014 };
}

export async function askServer(query: Query): Promise<Server> {
  const [row] = await query("SELECT VERSION() AS version");
  return serverOf(String(row?.["version"]));
}

/**
 * The statements that give an account its password, as a hash: MariaDB writes what it is sent to its log of queries as it
 * is. MySQL's with RETAIN is the form that MySQL itself writes to its binary log for its replicas. Without it the old
 * password ends, but not an older one that was kept: that has to be told.
 * @param keep the old password stays valid beside the new one; any older one ends
 */
export function passwordStatements(
  server: Server,
  of: string,
  { plugin, hash, keep }: { readonly plugin: PasswordPlugin; readonly hash: string; readonly keep: boolean },
): string[] {
  if (server.isMariaDb) return [`ALTER USER ${of} IDENTIFIED VIA ${plugin} USING '${hash}'`];
  const change = `ALTER USER ${of} IDENTIFIED WITH '${plugin}' AS '${hash}'`;
  if (keep) return [`${change} RETAIN CURRENT PASSWORD`];
  return server.keepsTwo ? [change, `ALTER USER ${of} DISCARD OLD PASSWORD`] : [change];
}

/**
 * Gives an account its password, as its administrator.
 * @param keep the old one stays valid beside it
 * @param model the account whose grants it gets where it does not exist yet
 * @throws UserError target-refused; what the server answers
 */
export async function changePassword(
  query: Query,
  change: Change,
  { keep = false, model }: { readonly keep?: boolean; readonly model?: string },
): Promise<void> {
  const { ref, host } = change;
  const server = await askServer(query);
  if (keep && !server.keepsTwo) {
    const what = `this is ${server.isMariaDb ? "MariaDB" : "a MySQL before 8.0.14"}, which keeps no second password`;
    throw refused(ref, what, "name two users that take turns as users in config.jsonc, or set single to true");
  }
  const of = account(change.user, host);
  const plugin = await pluginOf(query, server, change);
  const hash = passwordHash(plugin, change.password, change.salt);
  // Before its password: what fails here must not leave one that logs in, and may do nothing.
  if (model !== undefined && (await isBare(query, of)))
    await copyGrants(query, { ref, from: account(model, host), to: of });
  try {
    for (const statement of passwordStatements(server, of, { plugin, hash, keep })) await query(statement);
  } catch (error) {
    if (errorNumber(error) !== UNKNOWN_USER || model === undefined) throw error;
    const word = server.isMariaDb ? `VIA ${plugin} USING` : `WITH '${plugin}' AS`;
    const make = `CREATE USER ${of} IDENTIFIED ${word} '${hash}'`;
    await makeUser(query, make, { ref, from: account(model, host), to: of });
  }
}

/** Whose grants an account gets. */
interface Copy {
  readonly ref: SecretRef;
  readonly from: string;
  readonly to: string;
}

/** A new account with the grants of another one, or none. */
async function makeUser(query: Query, make: string, copy: Copy): Promise<void> {
  await query(make);
  try {
    await copyGrants(query, copy);
  } catch (error) {
    // Where that fails too, it is a bare one for the next time.
    await query(`DROP USER ${copy.to}`).catch(() => undefined);
    throw error;
  }
}

/** @throws UserError target-refused, naming the grant that the administrator may not give */
async function copyGrants(query: Query, { ref, from, to }: Copy): Promise<void> {
  const lines = await grantsOf(query, from);
  for (const grant of grantsFor(lines, from, to)) {
    try {
      await query(grant);
    } catch (error) {
      if (errorNumber(error) === undefined) throw error;
      const what = `${to} cannot be given the grants of ${from}: ${reasonOf(error)}: ${grant}`;
      throw refused(ref, what, `give admin that right WITH GRANT OPTION, or make ${to} with the grants of ${from}`);
    }
  }
}

/** True where an account is there and may do nothing, as one that was made and not finished. */
async function isBare(query: Query, of: string): Promise<boolean> {
  try {
    return isNothing(await grantsOf(query, of));
  } catch (error) {
    if (errorNumber(error) === undefined) throw error;
    return false;
  }
}

/** A user changes its own password: in MariaDB without any right. @throws UserError target-refused */
export async function changeOwnPassword(query: Query, change: Change): Promise<void> {
  const { isMariaDb } = await askServer(query);
  if (!isMariaDb)
    throw refused(change.ref, "MySQL takes a hash from an administrator only", "name one as admin in config.jsonc");
  const [row] = await query("SELECT CURRENT_USER() AS account");
  const name = String(row?.["account"]);
  if (name.slice(0, name.lastIndexOf("@")) !== change.user) return changePassword(query, change, {});
  await pluginOf(query, { isMariaDb, keepsTwo: false }, change, "CURRENT_USER()");
  await query(`SET PASSWORD = '${passwordHash("mysql_native_password", change.password, change.salt)}'`);
}

/**
 * The plugin of an account, which is kept: the usual one where there is no account yet, or no right to look.
 * @throws UserError target-refused where we cannot compute its hashes
 */
async function pluginOf(
  query: Query,
  server: Server,
  { ref, user, host }: Change,
  of = account(user, host),
): Promise<PasswordPlugin> {
  const usual = server.isMariaDb ? "mysql_native_password" : "caching_sha2_password";
  const text = await lookAt(query, of);
  const [, byPassword, plugin = usual] = / IDENTIFIED (?:(BY PASSWORD)|(?:VIA|WITH) ['`]?(\w+))/.exec(text) ?? [];
  if (byPassword !== undefined) return "mysql_native_password";
  if (plugin === "mysql_native_password" || (plugin === "caching_sha2_password" && !server.isMariaDb)) return plugin;
  throw refused(
    ref,
    `user ${account(user, host)} logs in by ${plugin}, whose passwords cannot be set as a hash`,
    `give it ${usual}`,
  );
}

async function lookAt(query: Query, of: string): Promise<string> {
  try {
    const rows = await query(`SHOW CREATE USER ${of}`);
    return rows.flatMap((row) => Object.values(row)).join("\n");
  } catch (error) {
    if ([UNKNOWN_USER, NO_ROW, ...DENIED].includes(errorNumber(error) ?? 0)) return "";
    throw error;
  }
}
