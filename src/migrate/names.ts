import { isSegment } from "../core/ref.ts";

/** The longest segment that is made; a file name of the local store must still fit into 255 bytes. */
const LONGEST = 100;

/** Where a secret is stored by default: after its server and the variable, flag or header it was found in. */
export function secretPath(server: string, name: string): string {
  return `${segment(server, "server")}/${segment(name.replace(/^-+/, ""), "secret")}`;
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
export function segment(text: string, fallback: string): string {
  const clean = text
    .replace(/[^A-Za-z0-9._~-]+/g, "-")
    .replace(/^[-.]+|-+$/g, "")
    .slice(0, LONGEST);
  return isSegment(clean) ? clean : fallback;
}
