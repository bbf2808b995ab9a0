import type { SecretRef } from "../../../core/ref.ts";
import { refused } from "../failure.ts";
import type { UserLogin } from "../login.ts";
import type { Query } from "./connection.ts";
import { serverError } from "./failure.ts";
import { quoted } from "./roles.ts";
import { scramVerifier } from "./scram.ts";

/** PostgreSQL 10, where SCRAM came. */
const OLDEST = 100_000;
/** Iterations: RFC 7677 §4, and what clients take at most (pg 8.23, pgjdbc 42.7.9). */
const FEWEST = 4096;
const MOST = 100_000;

export interface Change {
  readonly ref: SecretRef;
  readonly login: UserLogin;
  /** 16 unpredictable bytes. */
  readonly salt: Uint8Array;
  /** The role that the new one becomes a member of, where it has to be made; undefined: it must exist. */
  readonly model?: string;
}

/**
 * Gives a role its password, as a verifier. A role that is made logs in and acts as its model from then on.
 * @throws UserError target-refused; what the server answers
 */
export async function changePassword(query: Query, { ref, login, salt, model }: Change): Promise<void> {
  const { version, iterations, known, owner, guarded } = await look(query, login.user, model);
  // Older ones would take the verifier for the password itself.
  if (version < OLDEST) throw refused(ref, "this postgresql does not know SCRAM", "update the server to 10 or later");
  if (guarded) {
    const what = `${quoted(login.user)} is a role whose password only a superuser changes`;
    throw refused(ref, what, "name a superuser's secret as admin in config.jsonc, or rotate a role that is none");
  }
  const verifier = scramVerifier(login.password.expose(), salt, Math.min(Math.max(iterations, FEWEST), MOST));
  const role = quoted(login.user);
  const password = `PASSWORD '${verifier}'`;
  if (!known && model !== undefined) {
    const make = `CREATE ROLE ${role} LOGIN IN ROLE ${quoted(model)} ${password}`;
    if (await isMade(query, `${make}; ALTER ROLE ${role} SET role TO ${quoted(owner ?? model)}`)) return;
  }
  await query(`ALTER ROLE ${role} ${password}`);
}

/**
 * `owner` is the role that the model acts as from its login on, where that is another one. `guarded`: a superuser, and
 * before PostgreSQL 16 one that replicates, and we are no superuser (manual, "ALTER ROLE", "CREATEROLE").
 */
async function look(query: Query, role: string, model = role) {
  const [row] = await query(
    `select current_setting('server_version_num')::int as version,
      coalesce(current_setting('scram_iterations', true), '0')::int as iterations,
      exists (select from pg_catalog.pg_roles where rolname = $1) as known,
      exists (select from pg_catalog.pg_roles
        where rolname = $1 and (rolsuper or rolreplication and current_setting('server_version_num')::int < 160000))
      and not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) as guarded,
      (select substr(entry, 6)
        from pg_catalog.pg_db_role_setting join pg_catalog.pg_roles r on r.oid = setrole, unnest(setconfig) entry
        where rolname = $2 and setdatabase = 0 and entry like 'role=%') as owner`,
    [role, model],
  );
  return {
    version: Number(row?.["version"]),
    iterations: Number(row?.["iterations"]),
    known: row?.["known"] === true,
    guarded: row?.["guarded"] === true,
    owner: typeof row?.["owner"] === "string" ? row["owner"] : undefined,
  };
}

/** False where another made it at the same time. */
async function isMade(query: Query, statements: string): Promise<boolean> {
  try {
    await query(statements);
    return true;
  } catch (error) {
    if (serverError(error).code === "42710") return false;
    throw error;
  }
}
