import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import { type SecretRef, formatRef } from "../core/ref.ts";
import { EXIT, UserError } from "../errors.ts";
import { openStore } from "../stores.ts";
import { confirm } from "./confirm.ts";
import { referenceArgument } from "./reference.ts";

export interface RmOptions {
  readonly yes?: boolean;
}

/** `rm REF`: removes a secret with all its fields and versions, after asking. */
export async function runRm(context: Context, text: string, options: RmOptions): Promise<number> {
  const ref = wholeSecret(text);
  const provider = await openStore(context, ref.store);
  const remove = provider.remove?.bind(provider);
  if (remove === undefined) throw new UserError("refused", `nothing can be removed from store ${ref.store}`);
  // Asked before the store is looked at: a damaged secret can be removed too.
  const question = `remove ${formatRef(ref)} with all its versions? [y/N] `;
  const alternative = `mcp-secrets rm ${formatRef(ref)} --yes`;
  if (!(await confirm(context, options, question, alternative))) return EXIT.ok;
  await removing(() => remove(ref.path));
  appendAudit(context, { event: "removed", outcome: "ok", refs: [formatRef(ref)] });
  context.terminal.out(`${formatRef(ref)} is removed\n`);
  return EXIT.ok;
}

/** To store a secret is no help to whoever wants it gone. */
async function removing(remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "secret-not-found") throw error;
    throw new UserError(error.code, error.message, { hint: "mcp-secrets list", cause: error });
  }
}

function wholeSecret(text: string): SecretRef {
  const ref = referenceArgument(text);
  if (ref.field === undefined) return ref;
  throw new UserError("usage", "rm removes a secret with all its fields: leave the field out", {
    hint: `mcp-secrets rm ${formatRef({ store: ref.store, path: ref.path })}`,
  });
}
