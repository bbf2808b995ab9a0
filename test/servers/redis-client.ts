import { createClient } from "@redis/client";

type Server = { readonly port: number; readonly password: string };

/** The answer to one command, on a fresh connection; of the `default` user where no other is named. */
export async function command(
  server: Server,
  words: readonly string[],
  login: { readonly username?: string; readonly password: string } = server,
): Promise<unknown> {
  const { username, password } = login;
  const client = createClient({
    socket: { host: "127.0.0.1", port: server.port, reconnectStrategy: false },
    password,
    RESP: 2,
    disableClientInfo: true,
    ...(username !== undefined && { username }),
  });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await client.sendCommand([...words]);
  } finally {
    client.destroy();
  }
}

/** Whether a fresh connection is let in. */
export async function logsIn(server: Server, login: { readonly username?: string; readonly password: string }) {
  try {
    await command(server, ["PING"], login);
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("WRONGPASS")) return false;
    throw error;
  }
}
