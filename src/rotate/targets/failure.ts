import { formatRef, type SecretRef } from "../../core/ref.ts";
import { UserError } from "../../errors.ts";

/** What targets tell. `what` is one line without any value. */

/** Nothing is known to have changed at the issuer. */
export function unreachable(ref: SecretRef, what: string): UserError {
  return new UserError("target-unreachable", `${formatRef(ref)}: ${what}`, {
    hint: "nothing was changed: it is tried again with the next mcp-secrets rotate",
  });
}

/** The answer to a request that makes something did not come. */
export function lost(ref: SecretRef, what: string): UserError {
  return new UserError("target-lost", `${formatRef(ref)}: ${what}`, {
    hint: "mcp-secrets rotate status",
  });
}

/** The issuer was reached and says no. */
export function refused(ref: SecretRef, what: string, hint: string): UserError {
  return new UserError("target-refused", `${formatRef(ref)}: ${what}`, { hint });
}
