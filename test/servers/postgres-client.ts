import { createRequire } from "node:module";
import { resolve } from "node:path";
import type { Postgres } from "./postgres.ts";

interface Client {
  connect(): Promise<void>;
  query(text: string): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
  end(): Promise<void>;
}

interface Driver {
  readonly Client: new (options: object) => Client;
}

/** The driver of the server under test, server-postgres. */
const driver = createRequire(import.meta.url)(resolve("node_modules/pg")) as Driver;

/** Rows of one statement, on a fresh connection; the superuser's where no other user is named. */
export async function query(
  postgres: Postgres,
  text: string,
  login: { readonly user: string; readonly password: string } = postgres,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { user, password } = login;
  const client = new driver.Client({ host: "127.0.0.1", port: postgres.port, database: "postgres", user, password });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

/** Whether a fresh connection is let in. */
export async function logsIn(
  postgres: Postgres,
  login: { readonly user: string; readonly password: string },
): Promise<boolean> {
  try {
    await query(postgres, "select 1", login);
    return true;
  } catch (error) {
    // 28000 and 28P01: no such role, wrong password. Anything else is not about the login.
    if (error instanceof Error && "code" in error && String(error.code).startsWith("28")) return false;
    throw error;
  }
}
