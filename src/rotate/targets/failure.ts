import { formatRef, type SecretRef } from "../../core/ref.ts";
import { UserError } from "../../errors.ts";

/** What targets tell. `what` is one line without any value. */

/** This call is not known to have changed anything at the issuer; what came before it may have. */
export function unreachable(ref: SecretRef, what: string): UserError {
  return new UserError("target-unreachable", `${formatRef(ref)}: ${what}`, {
    hint: "the next mcp-secrets rotate goes on from there",
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
