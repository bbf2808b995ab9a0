import { timingSafeEqual } from "node:crypto";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { malformed } from "./error.ts";
import { hkdf, hmac } from "./primitives.ts";

/** One wrapping of the file key. */
export interface Stanza {
  readonly args: readonly string[];
  readonly body: Buffer;
}

export interface Header {
  readonly stanzas: readonly Stanza[];
  readonly mac: Buffer;
  /** What the MAC is made over. */
  readonly covered: Buffer;
  /** Where the payload starts. */
  readonly end: number;
}

const VERSION = "age-encryption.org/v1";
const COLUMNS = 64;
const MAC_LENGTH = 32;
/**
 * Limits of ours, which the format does not know: each stanza costs a scalar multiplication before anything of the
 * file can be authenticated.
 */
const MAX_STANZAS = 128;
const MAX_LENGTH = 256 * 1024;

/**
 * Reads a header strictly by the grammar of c2sp.org/age.
 * @throws AgeError for anything that the grammar does not derive
 */
export function parseHeader(file: Buffer): Header {
  const lines = linesOf(file);
  if (lines.next() !== VERSION) throw malformed("not an age file of version 1");
  const stanzas: Stanza[] = [];
  for (;;) {
    const start = lines.position();
    const line = lines.next();
    if (line.startsWith("---")) {
      if (stanzas.length === 0) throw malformed("a header without a recipient");
      return { stanzas, mac: readMac(line), covered: file.subarray(0, start + 3), end: lines.position() };
    }
    if (stanzas.length === MAX_STANZAS) throw malformed(`more than ${MAX_STANZAS} recipients`);
    stanzas.push({ args: readArgs(line), body: readBody(lines) });
  }
}

export function formatHeader(stanzas: readonly Stanza[], fileKey: Uint8Array): Buffer {
  const covered = Buffer.from(`${VERSION}\n${stanzas.map(formatStanza).join("")}---`);
  return Buffer.concat([covered, Buffer.from(` ${encodeBase64(macOf(covered, fileKey))}\n`)]);
}

/** @throws AgeError where the header is not the one that was made with this file key */
export function checkMac(header: Header, fileKey: Uint8Array): void {
  if (!timingSafeEqual(macOf(header.covered, fileKey), header.mac)) throw malformed("a header that was changed");
}

function macOf(covered: Buffer, fileKey: Uint8Array): Buffer {
  return hmac(hkdf(fileKey, Buffer.alloc(0), "header"), covered);
}

function readMac(line: string): Buffer {
  const mac = line.startsWith("--- ") ? decodeBase64(line.slice(4)) : undefined;
  if (mac?.length !== MAC_LENGTH) throw malformed("no proper end of the header");
  return mac;
}

function readArgs(line: string): string[] {
  const args = line.startsWith("-> ") ? line.slice(3).split(" ") : [];
  if (args.length === 0 || !args.every((arg) => /^[\x21-\x7e]+$/.test(arg))) {
    throw malformed("a recipient that is not of the format");
  }
  return args;
}

/** Full lines of 64 columns and one that is shorter, which may be empty. */
function readBody(lines: Lines): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const line = lines.next();
    if (line.length > COLUMNS) throw malformed("a line that is too long");
    parts.push(decodeBase64(line));
    if (line.length < COLUMNS) return Buffer.concat(parts);
  }
}

function formatStanza({ args, body }: Stanza): string {
  const text = encodeBase64(body);
  const lines: string[] = [];
  for (let at = 0; at <= text.length; at += COLUMNS) lines.push(text.slice(at, at + COLUMNS));
  return `-> ${args.join(" ")}\n${lines.join("\n")}\n`;
}

interface Lines {
  /** The next line without its line feed. */
  next(): string;
  position(): number;
}

function linesOf(file: Buffer): Lines {
  let position = 0;
  return {
    next() {
      const end = file.indexOf(0x0a, position);
      if (end < 0 || end > MAX_LENGTH) throw malformed("a header without an end");
      const line = file.toString("latin1", position, end);
      position = end + 1;
      return line;
    },
    position: () => position,
  };
}
