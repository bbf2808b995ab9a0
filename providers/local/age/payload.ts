import { randomBytes } from "node:crypto";
import { malformed } from "./error.ts";
import { TAG_LENGTH, hkdf, seal, unseal } from "./primitives.ts";

/** The payload of c2sp.org/age: chunks of 64 KiB, each sealed with its number and whether it is the last. */

const CHUNK = 64 * 1024;
const SEALED_CHUNK = CHUNK + TAG_LENGTH;
const NONCE_LENGTH = 16;

export function sealPayload(fileKey: Uint8Array, plaintext: Buffer): Buffer {
  const nonce = randomBytes(NONCE_LENGTH);
  const key = hkdf(fileKey, nonce, "payload");
  const count = Math.max(1, Math.ceil(plaintext.length / CHUNK));
  const chunks = Array.from({ length: count }, (_, index) =>
    seal(key, chunkNonce(index, index === count - 1), plaintext.subarray(index * CHUNK, (index + 1) * CHUNK)),
  );
  return Buffer.concat([nonce, ...chunks]);
}

/** @throws AgeError where a byte is missing, added, moved or changed */
export function openPayload(fileKey: Uint8Array, payload: Buffer): Buffer {
  if (payload.length < NONCE_LENGTH + TAG_LENGTH) throw malformed("a payload that is cut off");
  const key = hkdf(fileKey, payload.subarray(0, NONCE_LENGTH), "payload");
  const sealed = payload.subarray(NONCE_LENGTH);
  const count = Math.ceil(sealed.length / SEALED_CHUNK);
  const chunks = Array.from({ length: count }, (_, index) => {
    const last = index === count - 1;
    const chunk = sealed.subarray(index * SEALED_CHUNK, (index + 1) * SEALED_CHUNK);
    const opened = unseal(key, chunkNonce(index, last), chunk);
    if (opened === undefined) throw malformed("a payload that was changed or cut off");
    if (last && index > 0 && opened.length === 0) throw malformed("an empty last chunk");
    return opened;
  });
  return Buffer.concat(chunks);
}

/** Eleven bytes of counter, big endian, and the mark of the last chunk. */
function chunkNonce(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(index, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}
