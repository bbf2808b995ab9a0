import type { RotationRequest, Verdict } from "../target.ts";
import type { Login } from "./login.ts";

/** A system that is logged in to, as targets use it; `Query` is what a connection can be asked. */
export interface System<Query> {
  /** Logs in once on a fresh connection, and asks. @throws what the system answers, or what became of the connection */
  ask<T>(login: Login, asked: Asked, run: (query: Query) => Promise<T>): Promise<T>;
  /** What a failed login says of the credential. Whatever is not certain is `unreachable`, never `rejected`. */
  verdictOf(error: unknown): Verdict;
}

/** What limits a question. */
export type Asked = Pick<RotationRequest, "deadline" | "signal">;

/** As `ask`, but false, with nothing asked, where the system does not take the login. */
export async function askIfTaken<Query>(
  system: System<Query>,
  login: Login,
  asked: Asked,
  run?: (query: Query) => Promise<void>,
): Promise<boolean> {
  let entered = false;
  try {
    await system.ask(login, asked, async (query) => {
      entered = true;
      await run?.(query);
    });
    return true;
  } catch (error) {
    const { type } = system.verdictOf(error);
    if (!entered && type === "rejected") return false;
    // It may not go on from there, but its password was taken.
    if (!entered && type === "lacking" && run === undefined) return true;
    throw error;
  }
}

/**
 * Gives `login` its password without an administrator. A user may change its own password, and one that administers the
 * other, that one's.
 * @param kept logins that are in the store, the likeliest first
 * @param change does it, on a connection of one of them
 * @returns false where none of them is taken
 */
export async function changeAlone<Query>(
  system: System<Query>,
  { login, kept }: { readonly login: Login; readonly kept: readonly Login[] },
  asked: Asked,
  change: (query: Query) => Promise<void>,
): Promise<boolean> {
  const own = kept.filter(({ user, password }) => user === login.user && !password.equals(login.password));
  const others = kept.filter(({ user }) => user !== login.user);
  for (const each of own) if (await askIfTaken(system, each, asked, change)) return true;
  // Where the new one logs in, an earlier call, whose answer was lost, has set it.
  if (await askIfTaken(system, login, asked)) return true;
  for (const each of others) if (await askIfTaken(system, each, asked, change)) return true;
  return false;
}

/** What a server or the network said, in one line. What is sent to them has no password in clear, nor has an answer. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error && error.message !== "" ? error.message : codeOf(error);
  return text.replace(/[\p{C}\s]+/gu, " ").slice(0, 200);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no reason given";
}
