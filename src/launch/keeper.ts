import type { Processes, Watcher } from "../core/processes.ts";
import type { LeaseJournal } from "../core/provider.ts";
import { type StoreScope, tend, type Tending } from "./leases.ts";
import { isDead, type LaunchJournal, listLeaseNotes, type NotePlace, openLeaseJournal } from "./lease-journal.ts";
import { reapScript } from "./watcher.ts";

/** Looks after what stores gave one launch, and gives it back at the end. */
export interface Keeper {
  journalFor(store: string): LeaseJournal;
  /**
   * From now on renews what ends. Where there is no lease, everything is given back at once: what was read is read.
   */
  keep(scopes: readonly StoreScope[]): void;
  /** True while a lease has to be tended, so that the launcher must stay. */
  holds(): boolean;
  /** Gives everything back and sends the watcher away; at once, and again as often as it is asked. */
  release(): Promise<void>;
}

/** What the keeper needs of the launch and its Context. */
export interface KeeperHost extends NotePlace {
  readonly launch: string;
  readonly entry: string;
  readonly pid: number;
  readonly startOf: (pid: number) => string | undefined;
  readonly now: () => number;
  /** Random bits in hexadecimal. */
  readonly random: () => string;
  readonly platform: NodeJS.Platform;
  readonly userHome: string;
  /** The words that start this program again. */
  readonly self: readonly string[];
  readonly loadProcesses: () => Promise<Processes>;
  /** Tells the user, and the audit log, what is about to end at what time, and what was given back. */
  readonly tell: (event: KeeperEvent) => void;
}

export type KeeperEvent =
  | { readonly type: "ending"; readonly what: string; readonly at: number }
  | { readonly type: "revoked"; readonly whole: boolean }
  /** Somebody asked for what is this launch's alone. */
  | { readonly type: "intruded"; readonly what: string };

/** A dead launch whose things could not be given back is tried again after that, in milliseconds. */
const TRY_AGAIN = 60_000;

export function createKeeper(host: KeeperHost): Keeper {
  let processes: Processes | undefined;
  let watcher: Watcher | undefined;
  let journal: LaunchJournal | undefined;
  let tending: Tending | undefined;
  let released: Promise<void> | undefined;
  let leases = 0;

  /** Before anything is asked for there is somebody who gives it back for us. */
  async function standBy(): Promise<void> {
    processes = await host.loadProcesses();
    if (host.platform !== "win32") watcher ??= processes.watch(reapScript(host, host.launch));
  }

  const openJournal = (): LaunchJournal => {
    const { launch, entry, pid } = host;
    journal ??= openLeaseJournal(host, { launch, entry, pid, started: host.startOf(pid) ?? "" });
    return journal;
  };

  /**
   * A launch that failed half-way has given back what it got, and its watcher looks once more at what it noted. Where
   * nobody stood by, what was noted ends by itself.
   */
  async function giveUp(): Promise<void> {
    if (processes === undefined) await journal?.settle({});
  }

  async function giveBack(held: Tending): Promise<void> {
    const left = await held.end();
    const noted = await openJournal().settle(left);
    watcher?.dismiss();
    if (!noted) return;
    const whole = Object.values(left).every((one) => one.leases.length + one.credentials.length === 0);
    host.tell({ type: "revoked", whole });
  }

  return {
    journalFor: (store) => ({
      ...openJournal().forStore(store, standBy),
      refused: (what) => host.tell({ type: "intruded", what }),
    }),
    keep(scopes) {
      if (scopes.length === 0) return;
      leases = scopes.flatMap(({ secrets }) => secrets).filter(({ lease }) => lease !== undefined).length;
      tending = tend(scopes, {
        now: host.now,
        chance: () => Number.parseInt(host.random().slice(0, 8), 16) / 2 ** 32,
        after: (milliseconds, act) => processes?.after(milliseconds, act),
        ending: (what, at) => host.tell({ type: "ending", what, at }),
      });
      if (leases === 0) released = giveBack(tending);
    },
    holds: () => leases > 0,
    release() {
      released ??= tending === undefined ? giveUp() : giveBack(tending);
      return released;
    },
  };
}

/** Launches that were killed, even their watchers: what they left is given back by a process that is not waited for. */
export async function reapTheDead(host: KeeperHost): Promise<void> {
  const due = listLeaseNotes(host).some(
    (note) => isDead(note, host.startOf) && host.now() - (note.tried ?? 0) > TRY_AGAIN,
  );
  if (due && host.platform !== "win32") (await host.loadProcesses()).watch(reapScript(host, undefined));
}
