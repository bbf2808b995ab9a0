import { loadDriver } from "../driver.ts";
import type { Login } from "../login.ts";
import { type Limits, endInTime } from "../limits.ts";
import { withSocket } from "../socket.ts";
import type { TlsOptions } from "../tls.ts";

/** Where a connection goes to. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** undefined: plain text. */
  readonly tls: TlsOptions | undefined;
}

export type Row = Readonly<Record<string, unknown>>;

/** Statements on one connection. Without values it may be several statements, which are one transaction. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** @throws UserError config-unsupported where it is not installed */
export function driver() {
  return loadDriver("postgresql", () => import("pg"));
}

/**
 * Logs in once on a fresh connection, runs `run` on it and closes it, whatever happens.
 * @throws what the server answers (`DatabaseError` of pg), or what became of the connection
 */
export async function withConnection<T>(
  { host, port, database, tls }: Place,
  login: Login,
  limits: Limits,
  run: (query: Query) => Promise<T>,
): Promise<T> {
  const { Client } = await driver();
  return withSocket(limits, async (socket) => {
    const client = new Client({
      host,
      port,
      database,
      user: login.user ?? "",
      password: login.password.expose(),
      ssl: tls ?? false,
      stream: () => socket,
      application_name: "mcp-secrets",
    });
    // What happens to a connection between two statements is told by the next one.
    client.on("error", () => undefined);
    try {
      await client.connect();
      return await run(async (text, values) => (await client.query<Row>(text, values?.slice())).rows);
    } finally {
      await endInTime(() => client.end());
    }
  });
}
