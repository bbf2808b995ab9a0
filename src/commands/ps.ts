import type { Context } from "../context.ts";
import { formatTable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { currentVersions } from "./current-versions.ts";
import { type LeaseNote, listLeaseNotes } from "../launch/lease-journal.ts";
import { type LaunchRecord, liveLaunches } from "../launch/registry.ts";

/**
 * `ps`: the launches that live, the versions of the secrets that they hold, and which of those are no longer current.
 * Notes of dead launches are swept.
 */
export async function runPs(context: Context, options: { readonly json?: boolean }): Promise<number> {
  const launches = liveLaunches(context).toSorted((a, b) => (a.since < b.since ? -1 : 1));
  const held = launches.flatMap(({ refs }) => refs.flatMap(({ ref, version }) => (version === undefined ? [] : [ref])));
  const current = await currentVersions(context, held);
  if (options.json === true) {
    const notes = new Map(listLeaseNotes(context).map((note) => [note.launch, leasesIn(note)]));
    const shown = launches.map(({ id, entry, pid, since, refs }) => {
      return { id, entry, pid, since, refs: refs.map((ref) => withCurrent(ref, current)), leases: notes.get(id) ?? [] };
    });
    context.terminal.out(`${JSON.stringify({ schema: "mcp-secrets/ps/1", launches: shown })}\n`);
  } else if (launches.length === 0) {
    context.terminal.out("no launch lives\n");
  } else {
    context.terminal.out(
      formatTable(
        ["ENTRY", "PID", "SINCE", "SECRETS"],
        launches.map((launch) => row(launch, current)),
      ),
    );
  }
  return EXIT.ok;
}

type Held = LaunchRecord["refs"][number];

/** What is held, and what the store has now where that is known. */
function withCurrent(held: Held, current: ReadonlyMap<string, number>): Held & { readonly current?: number } {
  const now = held.version === undefined ? undefined : current.get(held.ref);
  return { ...held, ...(now !== undefined && { current: now }) };
}

function leasesIn({ stores }: LeaseNote): { readonly store: string; readonly id: string }[] {
  return Object.entries(stores).flatMap(([store, { leases }]) => leases.map((id) => ({ store, id })));
}

function row({ entry, pid, since, refs }: LaunchRecord, current: ReadonlyMap<string, number>): string[] {
  const secrets = refs.map((held) => {
    const { ref, version, stale, current: now } = withCurrent(held, current);
    const shown = version === undefined ? ref : `${ref} v${version}`;
    const old = now === undefined || now === version ? shown : `${shown} (old: now v${now})`;
    return stale === undefined ? old : `${old} (stale, read ${stale})`;
  });
  return [entry, String(pid), since, secrets.join(" ")];
}
