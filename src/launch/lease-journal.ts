import { join } from "node:path";
import type { Files } from "../core/files.ts";
import type { LeaseJournal, Remains } from "../core/provider.ts";
import { noteFolder } from "./lease-folder.ts";

/**
 * What each launch must give back, on disk before its server starts, so that a launch that is killed leaves nothing that
 * nobody knows of. One file for each launch; gone when all is given back.
 */
export interface LeaseNote {
  readonly v: 1;
  readonly launch: string;
  readonly entry: string;
  readonly pid: number;
  /** When that process started, as the system counts; empty where it does not tell. */
  readonly started: string;
  /** By store. An intent alone has nothing in it: a credential that was never written down ends by itself in seconds. */
  readonly stores: Readonly<Record<string, Remains>>;
  /** When it was last tried to give it back for a dead launch, in milliseconds since the epoch. */
  readonly tried?: number;
}

export interface NotePlace {
  readonly files: Files;
  readonly home: string;
}

export interface LaunchJournal {
  /**
   * The journal of what one store gives the launch. `standBy` is waited for before anything is noted that does not end
   * by itself at once.
   */
  forStore(store: string, standBy: () => Promise<void>): LeaseJournal;
  /** Replaces what was noted by what is left; with nothing left the note goes away. False where nothing was noted. */
  settle(left: Readonly<Record<string, Remains>>): Promise<boolean>;
}

const NOTHING: Remains = { leases: [], credentials: [] };

export function openLeaseJournal(place: NotePlace, owner: Omit<LeaseNote, "v" | "stores" | "tried">): LaunchJournal {
  const stores: Record<string, Remains> = {};
  let written = Promise.resolve();
  /** One write after the other, each with all that is known. */
  const note = (store: string, more: Partial<Remains>): Promise<void> => {
    const known = stores[store] ?? NOTHING;
    stores[store] = {
      leases: [...known.leases, ...(more.leases ?? [])],
      credentials: [...known.credentials, ...(more.credentials ?? [])],
    };
    const text = JSON.stringify({ v: 1, ...owner, stores });
    written = written.then(() => place.files.writePrivate(notePath(place.home, owner.launch), text));
    return written;
  };
  return {
    forStore: (store, standBy) => ({
      async intent(brief = false) {
        await Promise.all([brief ? undefined : standBy(), note(store, {})]);
      },
      made: ({ id }) => note(store, { credentials: [id] }),
      async leased({ id }) {
        await Promise.all([standBy(), note(store, { leases: [id] })]);
      },
    }),
    async settle(left) {
      await written;
      if (Object.keys(stores).length === 0) return false;
      await settleNote(place, { v: 1, ...owner, stores: left });
      return true;
    },
  };
}

/** Writes what is left of a note, or takes it away where nothing is. */
export async function settleNote(place: NotePlace, note: LeaseNote): Promise<void> {
  const left = Object.entries(note.stores).filter(
    ([, { leases, credentials }]) => leases.length + credentials.length > 0,
  );
  const path = notePath(place.home, note.launch);
  if (left.length === 0) place.files.remove(path);
  else await place.files.writePrivate(path, JSON.stringify({ ...note, stores: Object.fromEntries(left) }));
}

/** Every note; what cannot be read is left out. */
export function listLeaseNotes({ files, home }: NotePlace): LeaseNote[] {
  const names = files.list(noteFolder(home)).filter((name) => name.endsWith(".json"));
  return names.flatMap((name) => readNote(files.readIfExists(join(noteFolder(home), name))) ?? []);
}

/** True where the launcher of a note is gone. */
export function isDead(note: LeaseNote, startOf: (pid: number) => string | undefined): boolean {
  return startOf(note.pid) !== note.started;
}

function notePath(home: string, launch: string): string {
  return join(noteFolder(home), `${launch}.json`);
}

function readNote(bytes: Buffer | undefined): LeaseNote | undefined {
  try {
    const note: unknown = JSON.parse(bytes?.toString() ?? "");
    return isNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

function isNote(value: unknown): value is LeaseNote {
  if (typeof value !== "object" || value === null) return false;
  const note: Partial<Record<string, unknown>> = { ...value };
  if (note["v"] !== 1 || typeof note["stores"] !== "object" || note["stores"] === null) return false;
  const texts = ["launch", "entry", "started"].every((name) => typeof note[name] === "string");
  return (
    texts &&
    /^[A-Za-z0-9-]+$/.test(String(note["launch"])) &&
    Number.isSafeInteger(note["pid"]) &&
    Object.values(note["stores"]).every(isRemains)
  );
}

function isRemains(value: unknown): value is Remains {
  if (typeof value !== "object" || value === null || !("leases" in value && "credentials" in value)) return false;
  return isTexts(value.leases) && isTexts(value.credentials);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}
