import type { SecretRef } from "../../../core/ref.ts";
import { UserError } from "../../../errors.ts";
import type { Verdict } from "../../target.ts";
import { refused, unreachable } from "../failure.ts";
import { reasonOf } from "../system.ts";

/** The numbers of errors are those of the manuals, MySQL's and MariaDB's: "Server Error Message Reference". */

/** Wrong password or no such user; no password given; the account is locked (MySQL, MariaDB). */
const REJECTIONS = [1045, 1698, 3118, 4151];
/** The password is over: as a login, as a first statement. */
const EXPIRIES = [1862, 1820];

/** What a failed login, or its first statement, says of the credential. */
export function verdictOf(error: unknown, database = ""): Verdict {
  const number = errorNumber(error) ?? 0;
  if (REJECTIONS.includes(number)) return { type: "rejected" };
  if (EXPIRIES.includes(number)) return { type: "lacking", missing: ["a password that has not expired"] };
  if (number === 1044) return { type: "lacking", missing: [`any right to database ${database}`] };
  return { type: "unreachable", reason: reasonOf(error) };
}

/**
 * No right to it, in four forms; no such user; the password is not good enough; a second password cannot be kept where
 * the plugin changes, or there is no first one. What is not here may go away by itself, as 1290, a server that only
 * reads.
 */
const REFUSALS = [1044, 1142, 1227, 1410, 1396, 1819, 3894, 3895, 3878];

/** Why `user` did not get a new password. */
export function refusalOf(
  error: unknown,
  { ref, user }: { readonly ref: SecretRef; readonly user: string },
): UserError {
  if (error instanceof UserError) return error;
  const number = errorNumber(error) ?? 0;
  const what = `the server did not change user ${user}: ${reasonOf(error)}`;
  if (REJECTIONS.includes(number)) return refused(ref, what, "mend the secret that admin names");
  if (REFUSALS.includes(number)) return refused(ref, what, "who changes it needs GRANT CREATE USER ON *.*");
  // 1290 names the option that is in the way: read_only may end, a rule about passwords does not.
  if (number === 1290 && !/read[-_]only/.test(reasonOf(error)))
    return refused(ref, what, "change that option of the server");
  return unreachable(ref, what);
}

/** The number of an answer of the server; undefined for any other error. */
export function errorNumber(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errno" in error) || !("sqlState" in error)) return undefined;
  return typeof error.errno === "number" && typeof error.sqlState === "string" ? error.errno : undefined;
}
