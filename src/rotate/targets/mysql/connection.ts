import { loadDriver } from "../driver.ts";
import type { Login } from "../login.ts";
import { type Limits, endInTime } from "../limits.ts";
import { withSocket } from "../socket.ts";
import type { TlsOptions } from "../tls.ts";

/** Where a connection goes to. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string | undefined;
  /** undefined: plain text. */
  readonly tls: TlsOptions | undefined;
}

export type Row = Readonly<Record<string, unknown>>;

/** One statement. */
export type Query = (text: string) => Promise<readonly Row[]>;

/** @throws UserError config-unsupported where it is not installed */
export function driver() {
  return loadDriver("mysql", () => import("mysql2/promise"));
}

/**
 * Logs in once on a fresh connection, runs `run` on it and closes it, whatever happens.
 * @throws what the server answers (with `errno` and `sqlState`), or what became of the connection
 */
export async function withConnection<T>(
  { host, port, database, tls }: Place,
  login: Login,
  limits: Limits,
  run: (query: Query) => Promise<T>,
): Promise<T> {
  const { createConnection } = await driver();
  return withSocket(limits, async (socket) => {
    if (host.startsWith("/")) socket.connect(host);
    else socket.connect(port, host);
    const connection = await createConnection({
      host,
      user: login.user ?? "",
      password: login.password.expose(),
      charset: "utf8mb4",
      stream: socket,
      connectTimeout: limits.timeout,
      ...(database !== undefined && { database }),
      ...(tls !== undefined && { ssl: { ...tls, verifyIdentity: tls.checkServerIdentity === undefined } }),
    });
    // What happens to a connection between two statements is told by the next one.
    connection.on("error", () => undefined);
    try {
      return await run(async (text) => rowsOf(await connection.query(text)));
    } finally {
      await endInTime(() => connection.end());
    }
  });
}

function rowsOf([rows]: readonly unknown[]): readonly Row[] {
  return Array.isArray(rows) ? rows.filter(isRow) : [];
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null;
}
