import { createHash } from "node:crypto";
import { isJournal } from "../core/journal.ts";
import { isSegment } from "../core/ref.ts";

/** The longest segment that is made; a file name of the local store must still fit into 255 bytes. */
const LONGEST = 100;

/** Where a secret is stored by default: after its server and the variable, flag or header it was found in. */
export function secretPath(server: string, name: string): string {
  const path = `${segment(server, "server")}/${segment(name.replace(/^-+/, ""), "secret")}`;
  // Nothing lists what is called like a journal.
  return isJournal(path) ? path.replaceAll("~", "-") : path;
}

/**
 * The server part of an entry's id. A name that is not spelled in the characters of a reference gets a fingerprint, so
 * that two servers never share an approval.
 */
export function serverId(server: string): string {
  const clean = segment(server, "server");
  return clean === server ? clean : `${clean}~${createHash("sha256").update(server).digest("hex").slice(0, 8)}`;
}

/**
 * The first of `path`, `path-2`, `path-3`, … that `free` accepts. It is asked with the path as it would be stored.
 */
export function firstFree(path: string, free: (path: string) => boolean): string {
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? path : `${path}-${count}`;
    if (free(candidate)) return candidate;
  }
}

/** `text` with every run of characters that the reference grammar does not know made into one `-`. */
function segment(text: string, fallback: string): string {
  const clean = text
    .replace(/[^A-Za-z0-9._~-]+/g, "-")
    .replace(/^[-.]+|-+$/g, "")
    .slice(0, LONGEST);
  return isSegment(clean) ? clean : fallback;
}
