import type { Context } from "../context.ts";
import { formatTable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { type LeaseNote, listLeaseNotes } from "../launch/lease-journal.ts";
import { type LaunchRecord, liveLaunches } from "../launch/registry.ts";

/** `ps`: the launches that live, and the versions of the secrets that they hold. Notes of dead ones are swept. */
export function runPs(context: Context, options: { readonly json?: boolean }): Promise<number> {
  const launches = liveLaunches(context).toSorted((a, b) => (a.since < b.since ? -1 : 1));
  if (options.json === true) {
    const notes = new Map(listLeaseNotes(context).map((note) => [note.launch, leasesIn(note)]));
    const shown = launches.map(({ id, entry, pid, since, refs }) => {
      return { id, entry, pid, since, refs, leases: notes.get(id) ?? [] };
    });
    context.terminal.out(`${JSON.stringify({ schema: "mcp-secrets/ps/1", launches: shown })}\n`);
  } else if (launches.length === 0) {
    context.terminal.out("no launch lives\n");
  } else {
    context.terminal.out(formatTable(["ENTRY", "PID", "SINCE", "SECRETS"], launches.map(row)));
  }
  return Promise.resolve(EXIT.ok);
}

function leasesIn({ stores }: LeaseNote): { readonly store: string; readonly id: string }[] {
  return Object.entries(stores).flatMap(([store, { leases }]) => leases.map((id) => ({ store, id })));
}

function row({ entry, pid, since, refs }: LaunchRecord): string[] {
  const secrets = refs.map(({ ref, version }) => (version === undefined ? ref : `${ref} v${version}`));
  return [entry, String(pid), since, secrets.join(" ")];
}
