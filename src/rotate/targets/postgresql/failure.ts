import type { SecretRef } from "../../../core/ref.ts";
import { UserError } from "../../../errors.ts";
import type { Verdict } from "../../target.ts";
import { refused, unreachable } from "../failure.ts";
import { reasonOf } from "../system.ts";

/** What a failed login to `database` says of the credential. */
export function verdictOf(error: unknown, database: string): Verdict {
  const { code, routine } = serverError(error);
  // 28P01: wrong password, no such role, VALID UNTIL is over. 28000: NOLOGIN; or no line of pg_hba.conf lets this
  // machine in, upon which the credential was not looked at.
  if (code === "28P01" || (code === "28000" && routine !== "ClientAuthentication")) return { type: "rejected" };
  if (code === "42501") return { type: "lacking", missing: [`CONNECT on database ${database}`] };
  return { type: "unreachable", reason: reasonOf(error) };
}

/**
 * Insufficient privilege; no such role; a role may not be granted so; the value or the name is not taken (PostgreSQL,
 * appendix "PostgreSQL Error Codes"). What is not here may go away by itself, as 25006, a standby or a server that only
 * reads, 57P03 and 53300.
 */
const REFUSALS = ["42501", "42704", "0LP01", "22023", "42939"];

/** Why `role` did not get a new password. */
export function refusalOf(
  error: unknown,
  { ref, role }: { readonly ref: SecretRef; readonly role: string },
): UserError {
  if (error instanceof UserError) return error;
  const { code } = serverError(error);
  const what = `postgresql did not change role ${role}: ${reasonOf(error)}`;
  if (verdictOf(error, "").type === "rejected") return refused(ref, what, "mend the secret that admin names");
  if (code === undefined || !REFUSALS.includes(code)) return unreachable(ref, what);
  return refused(ref, what, `who changes it needs CREATEROLE and GRANT ${role} TO … WITH ADMIN OPTION`);
}

/** SQLSTATE of an answer of the server, and the function in it that gave it; nothing for any other error. */
export function serverError(error: unknown): { readonly code?: string; readonly routine?: string } {
  if (!(error instanceof Error) || !("severity" in error)) return {};
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const routine = "routine" in error && typeof error.routine === "string" ? error.routine : undefined;
  return { ...(code !== undefined && { code }), ...(routine !== undefined && { routine }) };
}
