/** What is told of an error that nobody expected, for a report that its reader can post. */
export interface BugReport {
  /** Its kind and its message, one line. */
  readonly what: string;
  /** Where it was thrown: a line a call. */
  readonly stack: string;
}

/** What stands in quotation marks, the longest first: JSON.parse puts a piece of its text there. */
const QUOTED = /"[^]*"|`[^]*`|'[^']*'/g;
/** As long as no word of a message is, or with a digit or a sign that words do not have. */
const UNUSUAL = /\S*[^\s\p{L}.,:;()'"`…-]\S*|\S{24,}/gu;
const MOST_CALLS = 20;

/**
 * The kind of an error, its message and its calls. A message may quote what it is about, which may be a secret: what is
 * quoted or is no plain word is left out. Nothing is told of arguments and environment, nor of causes.
 */
export function bugReport(error: unknown): BugReport {
  if (!(error instanceof Error)) return { what: `a ${typeof error} was thrown`, stack: "" };
  const kind = /^\w{1,40}$/.test(error.name) ? error.name : "Error";
  const message = redacted(error.message);
  return { what: message === "" ? kind : `${kind}: ${message}`, stack: callsOf(error) };
}

function redacted(message: string): string {
  return message.replaceAll(QUOTED, "…").replaceAll(UNUSUAL, "…").replaceAll(/\s+/g, " ").trim().slice(0, 200);
}

/** The message stands before the calls and may have lines of its own: it goes, and so does what only looks like a call. */
function callsOf({ stack = "", message }: Error): string {
  const start = stack.indexOf(message);
  const calls = start < 0 ? stack : stack.slice(start + message.length);
  const lines = calls.split("\n").filter((line) => /^ {4}at \S.*:\d+:\d+\)?$|^ {4}at .*\(<anonymous>\)$/.test(line));
  return lines
    .slice(0, MOST_CALLS)
    .map((line) => `${line}\n`)
    .join("");
}
