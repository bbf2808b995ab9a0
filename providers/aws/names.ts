import { createHash } from "node:crypto";
import { isJournal, secretOf } from "../../src/core/journal.ts";
import { UserError } from "../../src/errors.ts";

/** The first segment of references to roles; no secret lies there. */
export const ROLE_FOLDER = "role";

/** Secrets Manager: letters, digits and `/_+=.@-`, 512 at most (API reference of CreateSecret). */
const MOST_NAME = 512;

/**
 * The name that a path has at the service.
 * @throws UserError reference-invalid for what the service does not take (`~`), refused for a path of a role
 */
export function nameOf(store: string, prefix: string, path: string): string {
  if (isRolePath(path)) {
    throw new UserError("refused", `store ${store}: ${path} is a role: nothing is stored there`, {
      hint: `name a path that does not begin with ${ROLE_FOLDER}/`,
    });
  }
  // A name there has no `~`; and no reference has `=`, so that the journal of a rotation meets no other secret.
  const name = isJournal(path) ? `${prefix}${secretOf(path)}=rotation` : `${prefix}${path}`;
  if (name.length <= MOST_NAME && !name.includes("~")) return name;
  throw new UserError("reference-invalid", `store ${store}: Secrets Manager takes no name like ${name.slice(0, 80)}`, {
    hint: `a name there has ${MOST_NAME} characters at most and no ~`,
  });
}

export function isRolePath(path: string): boolean {
  return path.startsWith(`${ROLE_FOLDER}/`);
}

/** An entry is `CLIENT/SERVER`. */
export function splitEntry(entry: string): { client: string; server: string } {
  const slash = entry.indexOf("/");
  return { client: entry.slice(0, Math.max(0, slash)), server: entry.slice(slash + 1) };
}

/** What STS takes for session names and source identities: 2 to 64 of these characters. */
export function sessionWord(text: string, most: number): string {
  const plain = text.replaceAll(/[^\w+=,.@-]+/g, "-").slice(0, most);
  return plain.length < 2 ? `${plain}--`.slice(0, 2) : plain;
}

/** A value of a tag: other characters than the service takes become `-`. */
export function tagValue(text: string): string {
  return text.replaceAll(/[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu, "-").slice(0, 256);
}

/** SHA-256, hex. */
export function digest(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  // Each with its length, so that no two lists of parts are the same text.
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex");
}
