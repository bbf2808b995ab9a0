import { loadDriver } from "../driver.ts";
import { type Limits, withLimits } from "../limits.ts";
import type { Login } from "../login.ts";
import type { TlsOptions } from "../tls.ts";

/** Where a connection goes to. */
export interface Place {
  readonly host: string;
  readonly port: number;
  /** undefined: plain text. */
  readonly tls: TlsOptions | undefined;
}

/** Version 2 of the protocol logs in with AUTH alone, which every user may. */
const PROTOCOL = { RESP: 2 as const };

/** One command, and what the server answers. */
export type Command = (...words: readonly string[]) => Promise<unknown>;

/** @throws UserError config-unsupported where it is not installed */
export function driver() {
  return loadDriver("redis", () => import("@redis/client"));
}

/**
 * Logs in once on a fresh connection, runs `run` on it and closes it, whatever happens.
 * @throws what the server answers (`ErrorReply` of the driver), or what became of the connection
 */
export async function withConnection<T>(
  { host, port, tls }: Place,
  { user, password }: Login,
  limits: Limits,
  run: (command: Command) => Promise<T>,
): Promise<T> {
  const { RedisClient } = await driver();
  const address = host.startsWith("/") ? { path: host } : { host, port };
  const options = {
    ...PROTOCOL,
    socket: { ...address, reconnectStrategy: false as const, ...(tls !== undefined && { ...tls, tls: true as const }) },
    password: password.expose(),
    disableClientInfo: true,
    disableOfflineQueue: true,
    ...(user !== undefined && { username: user }),
  };
  // Not createClient, which makes a class for each set of options, and keeps the options as its name: password and all.
  const client = RedisClient.factory(PROTOCOL)(options);
  // What happens to a connection between two commands is told by the next one.
  client.on("error", () => undefined);
  const destroy = () => {
    if (client.isOpen) client.destroy();
  };
  try {
    return await withLimits(limits, destroy, async () => {
      await client.connect();
      return run((...words) => client.sendCommand(words));
    });
  } finally {
    destroy();
  }
}
