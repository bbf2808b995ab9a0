import type { ChildSpec, Ending, Processes } from "../core/processes.ts";
import { WATCHER_SCRIPT } from "./watcher.ts";

/** What ends a launch from outside, as long as there is a way to hear of it (signal(7), "Term"). */
const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
/** Passed on, but no end. */
const OTHER_SIGNALS = ["SIGUSR2", "SIGWINCH"] as const;
/** A terminal sends these to every process in its foreground, so the child has them already. */
const FROM_KEYBOARD: readonly string[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/** From the first sign of the end to SIGTERM and to SIGKILL, in milliseconds. */
const TERM_AFTER = 1200;
const KILL_AFTER = 2500;
/** From a SIGTERM of the client: SDK clients send SIGKILL, which we cannot pass on, two seconds after it. */
const KILL_AFTER_TERM = 1800;

/** A child under our care. */
export interface Supervised {
  readonly pid: number;
  /** Resolves when the child itself has ended; what it left behind is the watcher's then. */
  readonly ended: Promise<Ending>;
}

export interface Supervision {
  readonly platform: NodeJS.Platform;
  readonly group: boolean;
  /** Ends the child and its descendants by force, where signals do not (Windows). */
  readonly endTree?: (pid: number) => void;
  /** Called once, at the first sign of the end, whatever it is. */
  readonly onEnding?: () => void;
}

/**
 * Starts the child, hands signals on to it, and sees to it that it and its group are gone in time once the end has come.
 * @throws the system's error where it cannot be started
 */
export async function supervise(
  processes: Processes,
  spec: ChildSpec,
  { platform, group, endTree, onEnding }: Supervision,
): Promise<Supervised> {
  // 0 as long as there is no child.
  let target = 0;
  let ending = false;
  const early: NodeJS.Signals[] = [];

  const send = (name: NodeJS.Signals) => {
    if (target === 0) early.push(name);
    else if (endTree !== undefined) endTree(Math.abs(target));
    else processes.signal(target, name);
  };
  const beginEnd = (name?: NodeJS.Signals) => {
    processes.after(name === "SIGTERM" ? KILL_AFTER_TERM : KILL_AFTER, () => send("SIGKILL"));
    if (!ending && name !== "SIGTERM") processes.after(TERM_AFTER, () => send("SIGTERM"));
    if (!ending) onEnding?.();
    ending = true;
  };
  // Before the spawn: a client may signal at once.
  processes.onSignals([...END_SIGNALS, ...(platform === "win32" ? [] : OTHER_SIGNALS)], (name) => {
    if (!group && FROM_KEYBOARD.includes(name)) return;
    send(name);
    if (isEnd(name)) beginEnd(name);
  });

  // Before the child, which it would find by itself if we were killed before we tell.
  const watcher = platform === "win32" ? undefined : processes.watch(WATCHER_SCRIPT, group ? processes.streams() : []);
  try {
    const child = await processes.spawn(spec);
    target = group ? -child.pid : child.pid;
    watcher?.guard(target);
    for (const name of early) send(name);
    // At a terminal the end of input is the user's Control-D, which is the child's business.
    if (group) processes.onInputEnd(() => beginEnd());
    const ended = child.ended.then((how) => {
      if (!ending) onEnding?.();
      // With processes of its group left, the watcher takes our end for what it is.
      if (!group || !processes.signal(-child.pid, 0)) watcher?.dismiss();
      return how;
    });
    return { pid: child.pid, ended };
  } catch (error) {
    watcher?.dismiss();
    throw error;
  }
}

function isEnd(name: NodeJS.Signals): boolean {
  return END_SIGNALS.some((end) => end === name);
}
