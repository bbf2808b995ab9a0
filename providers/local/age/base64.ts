import { malformed } from "./error.ts";

/** Standard Base 64 without padding (RFC 4648, section 4), as the header of an age file uses it. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}

/** @throws AgeError for padding, any other character, or bits left over: only the canonical text is taken */
export function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (encodeBase64(bytes) !== text) throw malformed("base64 that is not canonical");
  return bytes;
}
