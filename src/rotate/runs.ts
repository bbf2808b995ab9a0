import { systemCode, UserError } from "../errors.ts";
import { changeNotes, isObject, type NoteKind, type NotePlace, type Notes, notePath, readNotes } from "./notes.ts";

/**
 * How the last run of this machine ended for each secret, in `rotation/runs.json`: the journal beside the secret tells of
 * rotations that came to an end, and not of a run that never got so far.
 */
export interface RunNote {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The type of its outcome. */
  readonly outcome: string;
  readonly exit: number;
  /** In words, without values. */
  readonly reason?: string;
}

const KIND: NoteKind<RunNote> = { name: "runs", isNote: isRun };

/** By the whole name of the secret. What is damaged counts as nothing: nobody's decision rests on it. */
export function readRuns(place: Pick<NotePlace, "files" | "home">): Notes<RunNote> {
  try {
    return readNotes(place, KIND);
  } catch (error) {
    if (error instanceof UserError) return new Map();
    throw error;
  }
}

/** Notes how it went, and forgets secrets that are neither among `runs` nor `kept`. Never throws: the work is done. */
export async function noteRuns(place: NotePlace, runs: Notes<RunNote>, kept: ReadonlySet<string>): Promise<void> {
  if (runs.size === 0) return;
  const change = (known: Notes<RunNote>) => new Map([...[...known].filter(([name]) => kept.has(name)), ...runs]);
  try {
    if (readRuns(place).size === 0) place.files.remove(notePath(place.home, KIND.name));
    await changeNotes(place, KIND, change);
  } catch (error) {
    if (!(error instanceof UserError) && systemCode(error) === undefined) throw error;
  }
}

function isRun(value: unknown): value is RunNote {
  if (!isObject(value)) return false;
  const { at, outcome, exit, reason } = value;
  return (
    typeof at === "string" &&
    !Number.isNaN(Date.parse(at)) &&
    typeof outcome === "string" &&
    Number.isSafeInteger(exit) &&
    (reason === undefined || typeof reason === "string")
  );
}
