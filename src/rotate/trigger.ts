import type { Processes } from "../core/processes.ts";
import { type DuePlace, isWorkDue, noteStarted } from "./due.ts";

/** What a launch needs to hand work over. */
export interface TriggerPlace extends DuePlace {
  readonly platform: NodeJS.Platform;
  readonly userHome: string;
  readonly now: () => number;
  /** The words that start this program again. */
  readonly self: readonly string[];
  readonly loadProcesses: () => Promise<Pick<Processes, "detach">>;
}

/** Tells `rotate --due` that a launch has started it, which the settings may not want. */
export const BY_LAUNCH = "MCPS_BY_LAUNCH";
/** Seconds that a server has for its own start before the work begins. */
const HEAD_START = 3;

/**
 * Starts `rotate --due` where there is work: in a session of its own, with nothing of our environment and none of our
 * stdio, and nobody's child, so that a server that takes our place finds none that it did not start. Two launches at
 * once may both start one; the second finds the first at work and ends. On Windows the schedule of the system does it.
 */
export async function startDueWork(place: TriggerPlace): Promise<void> {
  if (place.platform === "win32") return;
  try {
    if (!isWorkDue(place, place.now())) return;
    noteStarted(place, place.now());
    await (await place.loadProcesses()).detach(dueScript(place));
  } catch {
    // The server is what the user is waiting for: cron, or the next launch, comes back to the rest.
  }
}

function dueScript({ self, home, userHome }: TriggerPlace): string {
  const env = [`HOME=${userHome}`, `MCPS_HOME=${home}`, `${BY_LAUNCH}=1`].map(quote).join(" ");
  const words = [...self, "rotate", "--due"].map(quote).join(" ");
  return `trap '' HUP INT QUIT TERM PIPE\n{ sleep ${HEAD_START}; exec /usr/bin/env ${env} ${words}; } </dev/null &\n`;
}

/** sh(1): nothing is special between single quotes but the quote itself. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
