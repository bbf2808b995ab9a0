import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import { formatTable } from "../core/table.ts";
import { EXIT, UserError } from "../errors.ts";
import { isDead, type LeaseNote, listLeaseNotes } from "../launch/lease-journal.ts";
import { reapNotes, type Reaped } from "../launch/reap.ts";
import { openStore } from "../stores.ts";

export interface ReapOptions {
  /** Only this launch, and also where its launcher is just about to vanish. */
  readonly launch?: string;
  readonly json?: boolean;
}

/**
 * `reap`: gives back what killed launches have left: their leases, and the tokens that they were made with. Ends with 1
 * where something could not be given back; it is tried again the next time.
 */
export async function runReap(context: Context, options: ReapOptions): Promise<number> {
  const notes = listLeaseNotes(context).filter((note) =>
    options.launch === undefined ? isDead(note, context.startOf) : note.launch === options.launch,
  );
  return takeBack(context, notes, { command: "reap", json: options.json === true });
}

export interface RevokeOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

/** `revoke [ENTRY|--all]`: takes the credentials of live launches away; their servers run on without. */
export async function runRevoke(context: Context, entry: string | undefined, options: RevokeOptions): Promise<number> {
  if ((entry === undefined) !== (options.all === true)) {
    throw new UserError("usage", "revoke takes one entry, or --all", { hint: "mcp-secrets ps lists what lives" });
  }
  const notes = listLeaseNotes(context).filter((note) => entry === undefined || note.entry === entry);
  return takeBack(context, notes, { command: "revoke", json: options.json === true });
}

async function takeBack(
  context: Context,
  notes: readonly LeaseNote[],
  { command, json }: { readonly command: string; readonly json: boolean },
): Promise<number> {
  const host = { ...context, openStore: (store: string) => openStore(context, store) };
  const reaped = await reapNotes(host, notes);
  for (const { entry, launch, left } of reaped) {
    appendAudit(context, { event: "revoked", outcome: left === 0 ? "ok" : "failed", entry, launch });
  }
  context.terminal.out(json ? asJson(command, reaped) : asText(reaped));
  return reaped.some(({ left }) => left > 0) ? EXIT.findings : EXIT.ok;
}

function asJson(command: string, launches: readonly Reaped[]): string {
  return `${JSON.stringify({ schema: `mcp-secrets/${command}/1`, launches }, undefined, 2)}\n`;
}

function asText(reaped: readonly Reaped[]): string {
  if (reaped.length === 0) return "nothing is left to give back\n";
  const rows = reaped.map(({ entry, revoked, left }) => [entry, String(revoked), String(left)]);
  return formatTable(["ENTRY", "REVOKED", "LEFT"], rows);
}
