import type { Entry, TextAt } from "../clients/document.ts";

/** What starts the launcher in an entry: an absolute path that survives upgrades, and what comes before `run`. */
export interface EntryCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** A rewritten entry taken apart: the words of the server itself, at their places in the config. */
export interface Unwrapped {
  readonly id: string;
  /** Where the config has the id. */
  readonly idAt: TextAt;
  readonly command: TextAt;
  readonly args: readonly TextAt[];
}

/** The words to put before the server's own: they end in `--`. */
export function launcherWords(launcher: EntryCommand, id: string): readonly string[] {
  return [...launcher.args, "run", "--entry", id, "--"];
}

/**
 * The server behind a rewritten entry, or undefined where the entry starts something else. Known by its words, not by
 * the path of the launcher: another version or another home may have written it.
 */
export function unwrap(entry: Entry): Unwrapped | undefined {
  const run = entry.args.findIndex((arg) => arg.text === "run");
  if (run < 0 || run > 1 || entry.command === undefined || !isLauncher(entry, run)) return undefined;
  const [flag, id, dashes, command] = entry.args.slice(run + 1);
  if (flag?.text !== "--entry" || id === undefined || dashes?.text !== "--" || command === undefined) return undefined;
  return { id: id.text, idAt: id, command, args: entry.args.slice(run + 5) };
}

/** The entry as detection must see it: the server's own command and arguments. */
export function serverView(entry: Entry): Entry {
  const unwrapped = unwrap(entry);
  return unwrapped === undefined ? entry : { ...entry, command: unwrapped.command, args: unwrapped.args };
}

/** The words of the server itself: its command and its arguments, without our launcher's. */
export function wordsOf(entry: Entry): readonly TextAt[] {
  const { command, args } = unwrap(entry) ?? entry;
  return command === undefined ? args : [command, ...args];
}

function isLauncher(entry: Entry, run: number): boolean {
  const program = run === 0 ? entry.command?.text : entry.args[0]?.text;
  return /(^|[/\\])(mcp-secrets|launcher\.cjs|mcp-secrets\.cjs)$/.test(program ?? "");
}
