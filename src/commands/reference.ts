import { SCHEME, type SecretRef, parseRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";

/**
 * The reference that an argument is. What is not meant as one is not repeated: it may be the value, typed by mistake.
 * @throws UserError usage
 */
export function referenceArgument(text: string): SecretRef {
  try {
    return parseRef(text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const message = text.startsWith(SCHEME)
      ? error.message
      : `the argument is no reference: it does not start with ${SCHEME}`;
    throw new UserError("usage", message, { ...(error.hint === undefined ? {} : { hint: error.hint }), cause: error });
  }
}
