import type { Fields } from "../../../core/provider.ts";
import { formatRef } from "../../../core/ref.ts";
import { UserError } from "../../../errors.ts";
import type { RotationRequest, TargetOptions } from "../../target.ts";
import { type Login, readLogin } from "../login.ts";
import { tlsOptions } from "../tls.ts";
import { type Query, withConnection } from "./connection.ts";
import { verdictOf } from "./failure.ts";
import type { PostgresqlSettings } from "./settings.ts";

/** A target with its settings read. */
export interface Opened {
  readonly options: TargetOptions;
  readonly settings: PostgresqlSettings;
}

/** A role by its name and its password. */
export interface RoleLogin extends Login {
  readonly user: string;
}

/** What limits a question. */
export type Asked = Pick<RotationRequest, "deadline" | "signal">;

/** The role that the fields of the secret log in. @throws UserError config-invalid where settings and secret differ */
export function roleOf({ options, settings }: Opened, fields: Fields): RoleLogin {
  const { roles, places } = settings;
  const secret = formatRef(options.ref);
  const { user, password } = readLogin(fields, places, secret);
  const [only] = roles.length === 1 ? roles : [];
  const role = user ?? only;
  if (role === undefined) throw mismatch(`${secret} holds no user name, so no two roles can take turns: give role`);
  if (roles.length > 0 && !roles.includes(role)) throw mismatch(`${secret} is of a role that its settings do not name`);
  return { user: role, password };
}

/** Logs in once, and asks. @throws what the server answers, or what became of the connection */
export async function ask<T>(
  { options, settings }: Opened,
  login: Login,
  { deadline, signal }: Asked,
  run: (query: Query) => Promise<T>,
): Promise<T> {
  const { host, port, database, tls } = settings;
  const place = { host, port, database, tls: tlsOptions(tls, options.readFile) };
  const limits = { timeout: deadline - options.now(), ...(signal !== undefined && { signal }) };
  return withConnection(place, login, limits, run);
}

/** As `ask`, but false, with nothing asked, where the server does not take the login. */
export async function askIfTaken(
  target: Opened,
  login: Login,
  asked: Asked,
  run: (query: Query) => Promise<void>,
): Promise<boolean> {
  let entered = false;
  try {
    await ask(target, login, asked, (query) => {
      entered = true;
      return run(query);
    });
    return true;
  } catch (error) {
    if (!entered && verdictOf(error, target.settings.database).type === "rejected") return false;
    throw error;
  }
}

/** A quoted identifier. The settings have no NUL, which cannot be in one. */
export function quoted(role: string): string {
  return `"${role.replaceAll('"', '""')}"`;
}

function mismatch(problem: string): UserError {
  return new UserError("config-invalid", problem, { hint: "mend rotation in config.jsonc" });
}
