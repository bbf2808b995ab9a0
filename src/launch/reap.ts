import type { Provider, Remains } from "../core/provider.ts";
import { UserError } from "../errors.ts";
import { type LeaseNote, type NotePlace, settleNote } from "./lease-journal.ts";

export interface ReapHost extends NotePlace {
  readonly now: () => number;
  /** @throws UserError store-unknown */
  readonly openStore: (name: string) => Promise<Provider>;
}

/** How one launch's note came out: what was given back, and what is left. */
export interface Reaped {
  readonly launch: string;
  readonly entry: string;
  readonly revoked: number;
  readonly left: number;
}

/** For one store to take everything back, in milliseconds. */
const TIME = 10_000;

/** Gives back what the notes say, and writes down what could not be given back. */
export async function reapNotes(host: ReapHost, notes: readonly LeaseNote[]): Promise<readonly Reaped[]> {
  return Promise.all(notes.map((note) => reapNote(host, note)));
}

async function reapNote(host: ReapHost, note: LeaseNote): Promise<Reaped> {
  const left = await Promise.all(
    Object.entries(note.stores).map(
      async ([store, remains]) => [store, await reapStore(host, store, remains)] as const,
    ),
  );
  const stores = Object.fromEntries(left);
  await settleNote(host, { ...note, stores, tried: host.now() });
  const before = count(Object.values(note.stores));
  const after = count(Object.values(stores));
  return { launch: note.launch, entry: note.entry, revoked: before - after, left: after };
}

async function reapStore(host: ReapHost, store: string, remains: Remains): Promise<Remains> {
  try {
    const provider = await host.openStore(store);
    return (await provider.reap?.(remains, { deadline: host.now() + TIME })) ?? remains;
  } catch (error) {
    // The store is set up in another way, or not any more.
    if (error instanceof UserError) return remains;
    throw error;
  }
}

function count(all: readonly Remains[]): number {
  return all.reduce((sum, { leases, credentials }) => sum + leases.length + credentials.length, 0);
}
