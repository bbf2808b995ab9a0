import { appendAudit } from "../audit/log.ts";
import { placeOf } from "../clients/locate.ts";
import type { Context } from "../context.ts";
import { printable } from "../core/table.ts";
import { EXIT, UserError } from "../errors.ts";
import type { Approval } from "../launch/approval.ts";
import { withdrawApprovals } from "../launch/approvals.ts";

/** What is withdrawn: the word for one entry, or for all that were approved from a config, which may be gone. */
export interface Withdrawal {
  readonly entry?: string | undefined;
  readonly config?: string | undefined;
}

/** `approve --withdraw`: takes the user's word back. Needs no terminal: whoever can ask for it gets nothing by it. */
export async function runWithdraw(context: Context, { entry, config }: Withdrawal): Promise<number> {
  if (entry === undefined && config === undefined) throw unnamed();
  const path = config === undefined ? undefined : pathOf(context, config);
  const isMeant = (approval: Approval) =>
    (entry === undefined || approval.id === entry) && (path === undefined || approval.config === path);
  const ids = await withdrawApprovals(context, isMeant);
  for (const id of ids) {
    appendAudit(context, { event: "withdrawn", outcome: "ok", entry: id });
    context.terminal.out(`${printable(id)} is not approved any more\n`);
  }
  if (ids.length > 0) return EXIT.ok;
  throw new UserError("usage", `nothing of ${entry ?? config ?? ""} is approved`, { hint: "mcp-secrets approvals" });
}

function unnamed(): UserError {
  return new UserError("usage", "approve --withdraw takes an entry, or --config FILE", {
    hint: "mcp-secrets approvals",
  });
}

function pathOf(context: Context, config: string): string {
  const { path } = placeOf(context, config);
  return context.files.look(path) === undefined ? path : context.files.realpath(path);
}
