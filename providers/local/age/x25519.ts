import { diffieHellman, randomBytes } from "node:crypto";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { malformed } from "./error.ts";
import type { Stanza } from "./header.ts";
import { type Identity, type Recipient, identityOf, recipientOf } from "./keys.ts";
import { TAG_LENGTH, hkdf, seal, unseal } from "./primitives.ts";

/** The X25519 recipient type of c2sp.org/age: wraps the file key for one recipient. */

export const FILE_KEY_LENGTH = 16;
const TYPE = "X25519";
const INFO = "age-encryption.org/v1/X25519";
const SHARE_LENGTH = 32;
const NONCE = Buffer.alloc(12);

export function wrap(fileKey: Uint8Array, recipient: Recipient): Stanza {
  const ephemeral = identityOf(randomBytes(32));
  const shared = agree(ephemeral, recipient);
  const { share } = ephemeral.recipient;
  const key = hkdf(shared, Buffer.concat([share, recipient.share]), INFO);
  return { args: [TYPE, encodeBase64(share)], body: seal(key, NONCE, fileKey) };
}

/**
 * The file key that a stanza holds for `identity`; undefined where it is of another type or for somebody else.
 * @throws AgeError for an X25519 stanza that is not of the format
 */
export function unwrap(stanza: Stanza, identity: Identity): Buffer | undefined {
  if (stanza.args[0] !== TYPE) return undefined;
  const share = stanza.args.length === 2 ? decodeBase64(stanza.args[1] ?? "") : undefined;
  if (share?.length !== SHARE_LENGTH) throw malformed("an X25519 recipient that is not of the format");
  if (stanza.body.length !== FILE_KEY_LENGTH + TAG_LENGTH) throw malformed("a wrapped key of the wrong length");
  const shared = agree(identity, recipientOf(share));
  const key = hkdf(shared, Buffer.concat([share, identity.recipient.share]), INFO);
  return unseal(key, NONCE, stanza.body);
}

function agree(identity: Identity, recipient: Recipient): Buffer {
  try {
    return diffieHellman({ privateKey: identity.key, publicKey: recipient.key });
  } catch {
    // OpenSSL refuses a point of low order, whose result would be all zeros, as the format demands.
    throw malformed("an X25519 share of low order");
  }
}
