import { createHash } from "node:crypto";
import { Secret } from "../../src/core/secret.ts";
import type { Reading } from "./kv.ts";
import { createPath, policiesFor, serverOf } from "./names.ts";
import type { VaultSettings } from "./settings.ts";
import { asObject, member, numberOf } from "./shape.ts";

/** A reading that is kept for a while, and when it was made, in milliseconds since the epoch. */
export interface KeptReading {
  readonly reading: Reading;
  readonly readAt: number;
}

/** Text that is to be encrypted. `about` is what it belongs to, so that it cannot be taken for something else. */
export function packReading({ reading, readAt }: KeptReading, about: string): Buffer {
  const fields = [...reading.fields].map(([name, value]) => [name, value.expose()]);
  return Buffer.from(JSON.stringify({ v: 1, about, readAt, version: reading.version, fields }));
}

/** Undefined for what was not packed by this version, or is about something else. */
export function unpackReading(bytes: Buffer, about: string): KeptReading | undefined {
  const packed = parse(bytes);
  const readAt = numberOf(packed, "readAt");
  const version = numberOf(packed, "version");
  const fields = member(packed, "fields");
  const whole = member(packed, "v") === 1 && member(packed, "about") === about;
  if (!whole || readAt === undefined || !Array.isArray(fields) || !fields.every(isField)) return undefined;
  const secrets = new Map(fields.map(([name, value]) => [name, new Secret(value)]));
  return { readAt, reading: { fields: secrets, ...(version !== undefined && { version }) } };
}

/**
 * Whose rights a read has. What one launch has read is handed to another only where both read under the same name: the
 * same vault and login, and tokens with the same policies.
 */
export function readerOf(settings: VaultSettings, entry: string): string {
  const { addresses, namespace, auth, certFile, launch } = settings;
  const server = serverOf(entry);
  const rights = launch === "none" ? "login" : [createPath(launch, server), policiesFor(launch, server)];
  return hashOf(JSON.stringify([addresses, namespace, auth, certFile, rights]));
}

/** A name for a file that says nothing, and that no file system takes for another. */
export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

function parse(bytes: Buffer) {
  try {
    return asObject(JSON.parse(bytes.toString("utf8")));
  } catch {
    return undefined;
  }
}

function isField(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((each) => typeof each === "string");
}
