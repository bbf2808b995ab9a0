import type { SecretRef } from "../../../core/ref.ts";
import { UserError } from "../../../errors.ts";
import type { Verdict } from "../../target.ts";
import { refused, unreachable } from "../failure.ts";
import { reasonOf } from "../system.ts";

/** The servers tell what is wrong by the first word of their answer, and behind ERR by a sentence. */

/** What a failed login says of the credential. */
export function verdictOf(error: unknown): Verdict {
  // Also of a user that is off, which must not be told apart from outside.
  if (/^WRONGPASS\b/.test(reasonOf(error))) return { type: "rejected" };
  return { type: "unreachable", reason: reasonOf(error) };
}

const REFUSALS =
  /^(NOPERM\b|ERR (unknown (sub)?command|Error in ACL SETUSER|This instance is not configured|The server is running without))/i;
const NEEDS = "who changes it needs +acl|getuser +acl|setuser and +acl|save or +config|rewrite";

/** Why a user did not get or lose a password. */
export function refusalOf(
  error: unknown,
  { ref, user }: { readonly ref: SecretRef; readonly user: string },
): UserError {
  if (error instanceof UserError) return error;
  const what = `the server did not change user ${user}: ${reasonOf(error)}`;
  if (verdictOf(error).type === "rejected") return refused(ref, what, "mend the secret that admin names");
  return REFUSALS.test(reasonOf(error)) ? refused(ref, what, NEEDS) : unreachable(ref, what);
}
