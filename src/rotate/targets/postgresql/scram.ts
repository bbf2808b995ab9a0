import { createHash, createHmac, pbkdf2Sync } from "node:crypto";

/**
 * What PostgreSQL keeps of a password (RFC 5802 §3, RFC 7677; the form is that of `pg_authid.rolpassword`). The server
 * takes it in place of the password, so that its log, which shows failed statements, never has the password.
 * @param salt 16 unpredictable bytes
 */
export function scramVerifier(password: string, salt: Uint8Array, iterations: number): string {
  const salted = pbkdf2Sync(saslprep(password), salt, iterations, 32, "sha256");
  const storedKey = createHash("sha256").update(keyOf(salted, "Client Key")).digest("base64");
  const serverKey = keyOf(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString("base64")}$${storedKey}:${serverKey}`;
}

function keyOf(salted: Buffer, name: string): Buffer {
  return createHmac("sha256", salted).update(name).digest();
}

/** RFC 3454 tables C.1.2 and B.1, as RFC 4013 §2.1 maps them. */
const SPACES = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/g;
const NOTHING = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/g;

/**
 * RFC 4013 §2.1 and §2.2. What it prohibits (§2.3), PostgreSQL and its clients take as it is: a password of ours has no
 * such character, and an old one that has was set by a client that may have mapped it either way.
 */
function saslprep(password: string): string {
  return password.replace(SPACES, " ").replace(NOTHING, "").normalize("NFKC");
}
