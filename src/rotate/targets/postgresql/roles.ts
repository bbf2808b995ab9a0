import type { Fields } from "../../../core/provider.ts";
import { formatRef } from "../../../core/ref.ts";
import { UserError } from "../../../errors.ts";
import type { TargetOptions } from "../../target.ts";
import { type Login, readLogin } from "../login.ts";
import type { System } from "../system.ts";
import { tlsOptions } from "../tls.ts";
import { type Query, withConnection } from "./connection.ts";
import { verdictOf } from "./failure.ts";
import type { PostgresqlSettings } from "./settings.ts";

/** A target with its settings read. */
export interface Opened {
  readonly options: TargetOptions;
  readonly settings: PostgresqlSettings;
  readonly system: System<Query>;
}

/** A role by its name and its password. */
export interface RoleLogin extends Login {
  readonly user: string;
}

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

/** The server that the settings name. */
export function systemOf(options: TargetOptions, { host, port, database, tls }: PostgresqlSettings): System<Query> {
  return {
    ask(login, { deadline, signal }, run) {
      const place = { host, port, database, tls: tlsOptions(tls, options.readFile) };
      const limits = { timeout: deadline - options.now(), ...(signal !== undefined && { signal }) };
      return withConnection(place, login, limits, run);
    },
    verdictOf: (error) => verdictOf(error, database),
  };
}

/** A quoted identifier. The settings have no NUL, which cannot be in one. */
export function quoted(role: string): string {
  return `"${role.replaceAll('"', '""')}"`;
}

function mismatch(problem: string): UserError {
  return new UserError("config-invalid", problem, { hint: "mend rotation in config.jsonc" });
}
