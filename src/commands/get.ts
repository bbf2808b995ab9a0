import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import { formatRef } from "../core/ref.ts";
import { EXIT, UserError } from "../errors.ts";
import { openStore } from "../stores.ts";
import { referenceArgument } from "./reference.ts";

export interface GetOptions {
  readonly forceStdout?: boolean;
}

const TIME = 10_000;

/**
 * `get REF`: the value on a terminal, with a line end. Into a pipe only with `--force-stdout`, and then the bare value:
 * what reads it may be an agent whose context goes to a provider.
 */
export async function runGet(context: Context, text: string, options: GetOptions): Promise<number> {
  const ref = referenceArgument(text);
  const { terminal } = context;
  const refs = [formatRef(ref)];
  if (!terminal.outIsTty && options.forceStdout !== true) {
    appendAudit(context, { event: "shown", outcome: "denied", refs, code: "refused" });
    throw new UserError("refused", "a value is shown on a terminal only, and stdout is none", {
      hint: `mcp-secrets get ${formatRef(ref)} --force-stdout`,
    });
  }
  const provider = await openStore(context, ref.store);
  const [resolved] = await provider.resolve([ref], { deadline: context.now() + TIME });
  if (resolved === undefined) throw new Error("a store that gave no answer");
  appendAudit(context, { event: "shown", outcome: "ok", refs });
  terminal.out(`${resolved.value.expose()}${terminal.outIsTty ? "\n" : ""}`);
  return EXIT.ok;
}
