import { createConnection } from "mysql2/promise";
import type { MariaDb } from "./mariadb.ts";

/** Rows of one statement, on a fresh connection; root's where no other user is named. */
export async function query(
  server: Pick<MariaDb, "port" | "user" | "password">,
  text: string,
  login: { readonly user: string; readonly password: string } = server,
): Promise<unknown> {
  const { user, password } = login;
  const connection = await createConnection({ host: "127.0.0.1", port: server.port, user, password });
  try {
    const [rows] = await connection.query(text);
    return rows;
  } finally {
    await connection.end();
  }
}

/** Whether a fresh connection is let in. */
export async function logsIn(server: MariaDb, login: { readonly user: string; readonly password: string }) {
  try {
    await query(server, "select 1", login);
    return true;
  } catch (error) {
    // 1045: wrong password, or no such user. Anything else is not about the login.
    if (error instanceof Error && "errno" in error && error.errno === 1045) return false;
    throw error;
  }
}
