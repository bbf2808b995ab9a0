import { createHash } from "node:crypto";
import type { AddressInfo, Server } from "node:net";
import { type Connection, createServer } from "mysql2";

/**
 * A MySQL 8 as far as two passwords of one account go, after its manual ("Dual Password Support", ALTER USER): there is
 * no MySQL to be had on the machines of the tests. It speaks the real protocol, knows the statements below and no other,
 * and keeps accounts as `mysql.user` does.
 */
export interface FakeMysql extends Disposable {
  readonly port: number;
  readonly accounts: Map<string, Account>;
  readonly statements: string[];
}

interface Account {
  primary: string;
  secondary?: string;
  plugin: string;
  /** CREATE USER, and SELECT on the tables of the server. */
  readonly admin: boolean;
}

type Reply = { readonly rows: readonly Record<string, string>[] } | { readonly code: number; readonly message: string };

export async function startFakeMysql(
  version: string,
  users: Readonly<Record<string, string>>,
  admins: readonly string[],
): Promise<FakeMysql> {
  const accounts = new Map<string, Account>(
    Object.entries(users).map(([name, password]) => [
      name,
      { primary: nativeHash(password), plugin: "mysql_native_password", admin: admins.includes(name) },
    ]),
  );
  const statements: string[] = [];
  let number = 0;
  const server = createServer((connection: Connection) => {
    let user = "";
    connection.serverHandshake({
      protocolVersion: 10,
      serverVersion: version,
      connectionId: ++number,
      statusFlags: 2,
      characterSet: 33,
      capabilityFlags: 0xffffff ^ 2048 ^ 32,
      authCallback(given: Given, done: (error: null, refusal?: { message: string; code: number }) => void) {
        user = given.user;
        const { primary, secondary } = accounts.get(user) ?? {};
        const valid = [primary, secondary].some((hash) => hash !== undefined && proves(given, hash));
        if (valid) {
          done(null);
          Reflect.set(connection, "sequenceId", 0);
        } else done(null, { message: `Access denied for user '${user}'`, code: 1045 });
      },
    });
    connection.on("error", () => undefined);
    connection.on("query", (text: string) => {
      statements.push(text);
      // Packets are counted anew with each command, which this side of the driver leaves to its user.
      Reflect.set(connection, "sequenceId", 1);
      answer(connection, reply(text, accounts, { version, user }));
      Reflect.set(connection, "sequenceId", 0);
    });
  });
  const port = await new Promise<number>((resolve) => {
    // It takes what net.Server takes, which its types do not say.
    const listening = function (this: Server) {
      resolve((this.address() as AddressInfo).port);
    };
    Reflect.apply(server.listen, server, [0, "127.0.0.1", listening]);
  });
  return { port, accounts, statements, [Symbol.dispose]: () => server.close(() => undefined) };
}

export function nativeHash(password: string): string {
  return `*${sha1(sha1(Buffer.from(password)))
    .toString("hex")
    .toUpperCase()}`;
}

function reply(
  text: string,
  accounts: Map<string, Account>,
  { version, user }: { version: string; user: string },
): Reply {
  if (text === "SELECT VERSION() AS version") return { rows: [{ version }] };
  if (text === "SHOW GRANTS FOR CURRENT_USER()") return { rows: [{ Grants: "GRANT USAGE ON *.* TO `app`@`%`" }] };
  if (accounts.get(user)?.admin !== true) return { code: 1227, message: "Access denied; you need CREATE USER" };
  const [, verb, name = "", rest = ""] = /^(SHOW CREATE|ALTER) USER `(.*?)`@`%` ?(.*)$/.exec(text) ?? [];
  const account = accounts.get(name);
  if (verb === undefined) return { code: 1064, message: "You have an error in your SQL syntax" };
  if (account === undefined) return { code: 1396, message: `Operation ALTER USER failed for '${name}'@'%'` };
  if (verb === "SHOW CREATE") {
    return {
      rows: [{ user: `CREATE USER \`${name}\`@\`%\` IDENTIFIED WITH '${account.plugin}' AS '${account.primary}'` }],
    };
  }
  return alter(account, rest);
}

function alter(account: Account, rest: string): Reply {
  if (rest === "DISCARD OLD PASSWORD") {
    delete account.secondary;
    return { rows: [] };
  }
  const [, plugin, hash, retain] = /^IDENTIFIED WITH '(\w+)' AS '([^']+)'( RETAIN CURRENT PASSWORD)?$/.exec(rest) ?? [];
  if (plugin === undefined || hash === undefined)
    return { code: 1064, message: "You have an error in your SQL syntax" };
  if (retain !== undefined && plugin !== account.plugin) {
    return {
      code: 3894,
      message: "Current password can not be retained because authentication plugin is being changed.",
    };
  }
  if (retain !== undefined) account.secondary = account.primary;
  // "If you change the plugin assigned to an account, a secondary password is discarded."
  if (plugin !== account.plugin) delete account.secondary;
  account.primary = hash;
  account.plugin = plugin;
  return { rows: [] };
}

function answer(connection: Connection, given: Reply): void {
  if ("code" in given) return connection.writeError({ message: given.message, code: given.code });
  if (given.rows.length === 0) return connection.writeOk();
  const columns = Object.keys(given.rows[0]!).map((name) => ({
    catalog: "def",
    schema: "",
    table: "",
    orgTable: "",
    name,
    orgName: name,
    characterSet: 33,
    columnLength: 384,
    columnType: 253,
    type: 253,
    flags: 0,
    decimals: 0,
  }));
  connection.writeTextResult([...given.rows], columns as never);
}

interface Given {
  readonly user: string;
  readonly authPluginData1: Buffer;
  readonly authPluginData2: Buffer;
  readonly authToken: Buffer;
}

/** "Secure Password Authentication": the token, without the seed, is a text whose hash is the one that is kept. */
function proves({ authPluginData1, authPluginData2, authToken }: Given, hash: string): boolean {
  const kept = Buffer.from(hash.slice(1), "hex");
  const mask = sha1(authPluginData1.subarray(0, 8), authPluginData2.subarray(0, 12), kept);
  const once = Buffer.from(mask.map((byte, index) => byte ^ (authToken[index] ?? 0)));
  return sha1(once).equals(kept);
}

function sha1(...parts: readonly Buffer[]): Buffer {
  return createHash("sha1").update(Buffer.concat(parts)).digest();
}
