import type { Context } from "../context.ts";
import { findRefs, formatRef } from "../core/ref.ts";
import { formatTable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import type { Approval } from "../launch/approval.ts";
import { listApprovals } from "../launch/approvals.ts";

/** `approvals`: what the user has given their word for. */
export function runApprovals(context: Context, options: { readonly json?: boolean }): Promise<number> {
  const approvals = listApprovals(context);
  if (options.json === true) {
    const document = { schema: "mcp-secrets/approvals/1", approvals: approvals.map(described) };
    context.terminal.out(`${JSON.stringify(document)}\n`);
  } else if (approvals.length === 0) {
    context.terminal.out("nothing is approved\n");
  } else {
    const rows = approvals.map((approval) => [approval.id, approval.since, approval.words.join(" ")]);
    context.terminal.out(formatTable(["ENTRY", "SINCE", "COMMAND"], rows));
  }
  return Promise.resolve(EXIT.ok);
}

function described({ id, words, env, config, pointer, since }: Approval): object {
  const [command = "", ...args] = words;
  const texts = [...words, ...env.map(({ text }) => text ?? "")];
  const references = texts.flatMap((text) => findRefs(text).map(({ ref }) => formatRef(ref)));
  return { entry: id, command, args, env: env.map(({ name }) => name), references, config, pointer, since };
}
