import { Socket } from "node:net";
import { UserError } from "../../../errors.ts";
import type { Login } from "../login.ts";
import type { TlsOptions } from "../tls.ts";

/** Where a connection goes to. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** undefined: plain text. */
  readonly tls: TlsOptions | undefined;
}

/** When a connection is given up. */
export interface Limits {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

export type Row = Readonly<Record<string, unknown>>;

/** Statements on one connection. Without values it may be several statements, which are one transaction. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/**
 * Logs in once on a fresh connection, runs `run` on it and closes it, whatever happens.
 * @throws what the server answers (`DatabaseError` of pg), or what became of the connection
 */
export async function withConnection<T>(
  place: Place,
  login: Login,
  { timeout, signal }: Limits,
  run: (query: Query) => Promise<T>,
): Promise<T> {
  const { Client } = await loadDriver();
  const ends = AbortSignal.any([AbortSignal.timeout(Math.max(1, timeout)), ...(signal === undefined ? [] : [signal])]);
  const socket = new Socket();
  const client = new Client({
    host: place.host,
    port: place.port,
    database: place.database,
    user: login.user ?? "",
    password: login.password.expose(),
    ssl: place.tls ?? false,
    stream: () => socket,
    application_name: "mcp-secrets",
    connectionTimeoutMillis: Math.max(1, timeout),
  });
  // What happens to a connection between two statements is told by the next one.
  client.on("error", () => undefined);
  const giveUp = () => socket.destroy(new Error("no answer in time"));
  ends.addEventListener("abort", giveUp);
  try {
    ends.throwIfAborted();
    await client.connect();
    return await run(async (text, values) => (await client.query<Row>(text, values?.slice())).rows);
  } finally {
    ends.removeEventListener("abort", giveUp);
    // A server that is gone never answers the farewell.
    const patience = setTimeout(() => socket.destroy(), PATIENCE);
    await client.end().catch(() => undefined);
    clearTimeout(patience);
    socket.destroy();
  }
}

/** Milliseconds. */
const PATIENCE = 1000;

/** The driver is optional: only those who rotate a PostgreSQL need it. */
async function loadDriver() {
  try {
    return await import("pg");
  } catch (error) {
    throw new UserError("config-unsupported", "this installation has no driver for postgresql", {
      hint: "install mcp-secrets again with its optional dependencies: npm install --include=optional",
      cause: error,
    });
  }
}
