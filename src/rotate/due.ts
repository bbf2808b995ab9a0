import { join } from "node:path";
import type { Files } from "../core/files.ts";

/**
 * When this machine has work next, in a small file that every launch looks at: `rotation/due`, with the state of
 * `config.jsonc` that it was computed from, a time, and when that was computed: what was written in the future is from a
 * clock that was wrong. It is a hint and no truth: `rotate --due` decides for itself, and
 * writes the hint anew each time.
 */
export interface DuePlace {
  readonly files: Pick<Files, "look" | "readIfExists" | "writeVolatile" | "makePrivateDir">;
  readonly home: string;
}

/** A launch that has started the work keeps the others from it for so long, in milliseconds: it may have been killed. */
const STARTED = 600_000;

/**
 * True where `rotate --due` has something to do, or the settings changed since it last looked. Costs a failed stat where
 * nothing was ever configured, and the reading of one small file elsewhere.
 */
export function isWorkDue(place: DuePlace, now: number): boolean {
  const config = configState(place);
  if (config === undefined) return false;
  const [computedFrom, next, written] =
    place.files.readIfExists(duePath(place.home))?.toString("latin1").split(" ") ?? [];
  return computedFrom !== config || Number(next) <= now || Number(written) > now;
}

/** Notes that somebody is about it. */
export function noteStarted(place: DuePlace, now: number): void {
  writeDue(place, configState(place), now + STARTED, now);
}

/** The state of `config.jsonc`: to be taken before it is read. undefined where there is none. */
export function configState({ files, home }: DuePlace): string | undefined {
  const found = files.look(join(home, "config.jsonc"));
  return found === undefined ? undefined : `${found.mtimeNs}-${found.size}-${found.ino}`;
}

/** `next` in milliseconds since the epoch; undefined for never. */
export function writeDue(place: DuePlace, config: string | undefined, next: number | undefined, now: number): void {
  const path = duePath(place.home);
  const text = `${config ?? "none"} ${next ?? "never"} ${now}`;
  try {
    place.files.writeVolatile(path, text);
  } catch {
    place.files.makePrivateDir(join(place.home, "rotation"));
    place.files.writeVolatile(path, text);
  }
}

function duePath(home: string): string {
  return join(home, "rotation", "due");
}
