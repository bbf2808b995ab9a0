import type { Fields } from "../../../core/provider.ts";
import { formatRef } from "../../../core/ref.ts";
import type { TargetOptions } from "../../target.ts";
import { type UserLogin, userLogin } from "../login.ts";
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

/** The role that the fields of the secret log in. @throws UserError config-invalid where settings and secret differ */
export function roleOf({ options, settings }: Opened, fields: Fields): UserLogin {
  return userLogin(fields, settings.places, { secret: formatRef(options.ref), users: settings.roles, one: "role" });
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
