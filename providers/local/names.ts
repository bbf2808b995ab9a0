import { UserError } from "../../src/errors.ts";

/**
 * The file names of secrets. A path is its own file name, so that `age -d` finds it, but for segments that a file
 * system or this store would take for something else: those carry `@`, which no reference can hold.
 */

const SUFFIX = ".age";
/** Of the name before `.age.previous`; file systems give 255 bytes, eCryptfs 143. */
const MAX_SEGMENT = 120;
const MAX_PATH = 600;
/** Windows opens the device whatever the extension (learn.microsoft.com, "Naming Files, Paths, and Namespaces"). */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
/** A folder that could be the file of another secret, and endings that Windows drops. */
const UNSAFE_END = /(?:\.age|\.previous|\.lock|\.)$/i;
/** Names that this tool gives to files on their way, and sweeps. */
const OURS = /^\.mcp-secrets-/i;

/** The file of a secret, below the folder of the store's secrets, with `/` between segments. */
export function fileOf(path: string): string {
  return `${path.split("/").map(escape).join("/")}${SUFFIX}`;
}

/** What is kept of a secret until the next good write. */
export function previousOf(file: string): string {
  return `${file}.previous`;
}

/** The secret whose file this is; undefined for any other file. */
export function pathOf(file: string): string | undefined {
  if (!file.endsWith(SUFFIX)) return undefined;
  const path = file
    .slice(0, -SUFFIX.length)
    .split("/")
    .map((name) => name.replace(/^@|@$/g, ""))
    .join("/");
  return fileOf(path) === file ? path : undefined;
}

/** @throws UserError reference-invalid for a path that could not be stored on every file system */
export function checkPath(path: string, reference: string): void {
  const long = path.split("/").find((segment) => segment.length > MAX_SEGMENT);
  if (long === undefined && path.length <= MAX_PATH) return;
  throw new UserError("reference-invalid", `too long to be a file name: ${reference.slice(0, 80)}…`, {
    hint: `shorten each part to at most ${MAX_SEGMENT} characters, and all to ${MAX_PATH}`,
  });
}

function escape(segment: string): string {
  const start = DEVICE.test(segment) || OURS.test(segment) ? "@" : "";
  return `${start}${segment}${UNSAFE_END.test(segment) ? "@" : ""}`;
}
