import { type KeyObject, createPrivateKey, createPublicKey, randomBytes } from "node:crypto";
import { decodeBech32, encodeBech32 } from "./bech32.ts";
import { malformed } from "./error.ts";

/** Who can read a file: the public half of an identity. */
export interface Recipient {
  /** The 32 bytes of the point. */
  readonly share: Buffer;
  readonly key: KeyObject;
}

/** The private half: it opens what was written to its recipient. */
export interface Identity {
  readonly key: KeyObject;
  readonly recipient: Recipient;
}

const KEY_LENGTH = 32;
const RECIPIENT_PREFIX = "age";
const IDENTITY_PREFIX = "age-secret-key-";
/** Node wants a public half in a JWK but computes its own. */
const ANY_SHARE = "A".repeat(43);

/** A new identity, as the text of a line of an identity file and as a key. */
export function generateIdentity(): { readonly text: string; readonly identity: Identity } {
  const secret = randomBytes(KEY_LENGTH);
  const text = encodeBech32(IDENTITY_PREFIX, secret).toUpperCase();
  return { text, identity: identityOf(secret) };
}

/**
 * The identities of an age identity file: one a line, comments and empty lines apart.
 * @throws AgeError where there is none, or a line is anything else
 */
export function parseIdentities(text: string): readonly Identity[] {
  const identities = contentLines(text).map(({ line, number }) => {
    // Its case tells an identity from a recipient: age takes the upper-case form only.
    const decoded = line.startsWith("AGE-SECRET-KEY-1") ? decodeBech32(line) : undefined;
    if (decoded?.prefix !== IDENTITY_PREFIX || decoded.bytes.length !== KEY_LENGTH) {
      throw malformed(`line ${number} is no X25519 identity of age`);
    }
    return identityOf(decoded.bytes);
  });
  if (identities.length === 0) throw malformed("no identity in it");
  return identities;
}

/**
 * The recipients of a file with one `age1…` a line, comments and empty lines apart.
 * @throws AgeError naming the line that is anything else
 */
export function parseRecipients(text: string): readonly Recipient[] {
  return contentLines(text).map(({ line, number }) => {
    const decoded = line.startsWith("age1") ? decodeBech32(line) : undefined;
    if (decoded?.prefix !== RECIPIENT_PREFIX || decoded.bytes.length !== KEY_LENGTH) {
      throw malformed(`line ${number} is no X25519 recipient of age (age1…)`);
    }
    return recipientOf(decoded.bytes);
  });
}

/** The `age1…` of a recipient. */
export function formatRecipient(recipient: Recipient): string {
  return encodeBech32(RECIPIENT_PREFIX, recipient.share);
}

/** A JWK: measured on Node 20, the first DER key of a process costs 1.5 ms, the first JWK 0.9 ms. */
export function identityOf(secret: Buffer): Identity {
  const d = secret.toString("base64url");
  const key = createPrivateKey({ key: { kty: "OKP", crv: "X25519", d, x: ANY_SHARE }, format: "jwk" });
  const publicKey = createPublicKey(key);
  const share = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  return { key, recipient: { share, key: publicKey } };
}

export function recipientOf(share: Buffer): Recipient {
  const x = share.toString("base64url");
  return { share, key: createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" }) };
}

function contentLines(text: string): { readonly line: string; readonly number: number }[] {
  return text
    .split("\n")
    .map((line, index) => ({ line: line.replace(/\r$/, ""), number: index + 1 }))
    .filter(({ line }) => line !== "" && !line.startsWith("#"));
}
