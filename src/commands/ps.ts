import type { Context } from "../context.ts";
import { inParallel } from "../core/parallel.ts";
import { type SecretRef, formatRef, parseRef } from "../core/ref.ts";
import { formatTable } from "../core/table.ts";
import { EXIT, UserError } from "../errors.ts";
import { type LeaseNote, listLeaseNotes } from "../launch/lease-journal.ts";
import { forgetLaunch, type LaunchRecord, listLaunches } from "../launch/registry.ts";
import { openStore } from "../stores.ts";

/**
 * `ps`: the launches that live, and the versions of the secrets that they hold, with those that were replaced since
 * marked. Notes of dead ones are swept.
 */
export async function runPs(context: Context, options: { readonly json?: boolean }): Promise<number> {
  const launches: LaunchRecord[] = [];
  for (const record of listLaunches(context)) {
    if (context.startOf(record.pid) === record.started) launches.push(record);
    else forgetLaunch(context, record.id);
  }
  launches.sort((a, b) => (a.since < b.since ? -1 : 1));
  const isOld = await oldVersions(context, launches);
  if (options.json === true) {
    const notes = new Map(listLeaseNotes(context).map((note) => [note.launch, leasesIn(note)]));
    const shown = launches.map(({ id, entry, pid, since, refs }) => {
      const held = refs.map((one) => (isOld(one) ? { ...one, old: true } : one));
      return { id, entry, pid, since, refs: held, leases: notes.get(id) ?? [] };
    });
    context.terminal.out(`${JSON.stringify({ schema: "mcp-secrets/ps/1", launches: shown })}\n`);
  } else if (launches.length === 0) {
    context.terminal.out("no launch lives\n");
  } else {
    context.terminal.out(
      formatTable(
        ["ENTRY", "PID", "SINCE", "SECRETS"],
        launches.map((launch) => row(launch, isOld)),
      ),
    );
    const stale = new Set(launches.filter(({ refs }) => refs.some(isOld)).map(({ entry }) => entry));
    for (const entry of stale) context.terminal.err(`[mcp-secrets] hint: restart ${entry}: it holds an old value\n`);
  }
  return EXIT.ok;
}

type Held = LaunchRecord["refs"][number];

/** Stores get that long; what is not known by then counts as new. Milliseconds. */
const STORE_TIME = 3_000;

/** Tells the versions that were replaced since their launch. */
async function oldVersions(context: Context, launches: readonly LaunchRecord[]): Promise<(held: Held) => boolean> {
  const held = launches.flatMap(({ refs }) => refs).filter(({ version }) => version !== undefined);
  const secrets = [...new Set(held.map(({ ref }) => nameOf(ref)))];
  const versions = new Map<string, number>();
  const asked = inParallel(secrets, async (name) => {
    const version = await currentVersion(context, parseRef(name));
    if (version !== undefined) versions.set(name, version);
  });
  if (secrets.length > 0) await Promise.race([asked, context.sleep(STORE_TIME)]);
  return ({ ref, version }) => version !== undefined && version < (versions.get(nameOf(ref)) ?? 0);
}

async function currentVersion(context: Context, { store, path }: SecretRef): Promise<number | undefined> {
  try {
    return (await (await openStore(context, store)).describe?.(path))?.version;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function nameOf(reference: string): string {
  const { store, path } = parseRef(reference);
  return formatRef({ store, path });
}

function leasesIn({ stores }: LeaseNote): { readonly store: string; readonly id: string }[] {
  return Object.entries(stores).flatMap(([store, { leases }]) => leases.map((id) => ({ store, id })));
}

function row({ entry, pid, since, refs }: LaunchRecord, isOld: (held: Held) => boolean): string[] {
  const secrets = refs.map((held) => {
    const { ref, version } = held;
    return version === undefined ? ref : `${ref} v${version}${isOld(held) ? " (old)" : ""}`;
  });
  return [entry, String(pid), since, secrets.join(" ")];
}
