import { isJournal, secretOf } from "../core/journal.ts";
import { SCHEME, formatRef, type SecretRef, parseRef } from "../core/ref.ts";
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

/**
 * As `referenceArgument`, for what may be written: the journal of a rotation is nobody's to write.
 * @throws UserError usage
 */
export function secretArgument(text: string): SecretRef {
  const ref = referenceArgument(text);
  if (!isJournal(ref.path)) return ref;
  const secret = formatRef({ store: ref.store, path: secretOf(ref.path) });
  throw new UserError("usage", `${formatRef(ref)} is the journal of the rotation of ${secret}`, {
    hint: `name ${secret}; get and rm take a journal too`,
  });
}
