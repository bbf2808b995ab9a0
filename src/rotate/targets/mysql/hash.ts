import { createHash } from "node:crypto";

/** How the servers keep passwords, by the plugin of the account: a statement with the hash has no password in it. */
export type PasswordPlugin = "mysql_native_password" | "caching_sha2_password";

/** @param salt 20 unpredictable bytes, for the plugin that salts */
export function passwordHash(plugin: PasswordPlugin, password: string, salt: Uint8Array): string {
  return plugin === "mysql_native_password"
    ? nativeHash(password)
    : cachingHash(password, [...salt].map(saltLetter).join(""));
}

/** MySQL 4.1: without a salt, so what keeps it from being guessed is that our passwords are 238 random bits. */
function nativeHash(password: string): string {
  const once = createHash("sha1").update(password).digest();
  return `*${createHash("sha1").update(once).digest("hex").toUpperCase()}`;
}

/** SHA-crypt (U. Drepper) with SHA-256, 20 characters of salt and 5000 rounds, behind MySQL's own name for it. */
export function cachingHash(password: string, salt: string): string {
  return `$A$005$${salt}${encode(shaCrypt(Buffer.from(password), Buffer.from(salt, "latin1")))}`;
}

const ROUNDS = 5000;
const LETTERS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function saltLetter(byte: number): string {
  return LETTERS.charAt(byte % LETTERS.length);
}

function shaCrypt(key: Buffer, salt: Buffer): Buffer {
  const inner = sha256(key, salt, key);
  const bits = [...key.length.toString(2)].toReversed();
  const mixed = bits.map((bit) => (bit === "1" ? inner : key));
  let digest = sha256(key, salt, stretched(inner, key.length), ...mixed);
  const p = stretched(sha256(...Array.from({ length: key.length }, () => key)), key.length);
  const s = stretched(sha256(...Array.from({ length: 16 + digest.readUInt8(0) }, () => salt)), salt.length);
  for (let round = 0; round < ROUNDS; round++) {
    const odd = round % 2 === 1;
    const parts = [odd ? p : digest];
    if (round % 3 !== 0) parts.push(s);
    if (round % 7 !== 0) parts.push(p);
    parts.push(odd ? digest : p);
    digest = sha256(...parts);
  }
  return digest;
}

/** Bytes 0 10 20, then 21 1 11, 12 22 2, …: each three give four letters, the lowest bits first. */
function encode(digest: Buffer): string {
  let text = "";
  for (let group = 0; group < 10; group++) {
    const byte = (place: number) => digest.readUInt8((group * 21 + place * 10) % 30);
    text += letters((byte(0) << 16) | (byte(1) << 8) | byte(2), 4);
  }
  return text + letters((digest.readUInt8(31) << 8) | digest.readUInt8(30), 3);
}

function letters(value: number, count: number): string {
  return Array.from({ length: count }, (_, place) => LETTERS.charAt((value >> (6 * place)) & 63)).join("");
}

function stretched(digest: Buffer, length: number): Buffer {
  return Buffer.alloc(length, digest);
}

function sha256(...parts: readonly Buffer[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}
