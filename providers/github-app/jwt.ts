import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";

/**
 * Seconds. GitHub wants `iat` a minute back, for clocks that are off, and `exp` no more than ten minutes ahead (docs,
 * "Generating a JSON Web Token (JWT) for a GitHub App"); one request needs less.
 */
const BACK = 60;
const AHEAD = 300;

/**
 * A JWT in the name of the app, for one request.
 * @throws UserError store-login where the key is none
 */
export function appToken(store: string, app: string, key: Secret, now: number): string {
  const seconds = Math.floor(now / 1000);
  const header = { alg: "RS256", typ: "JWT" };
  const claims = { iat: seconds - BACK, exp: seconds + AHEAD, iss: app };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  const signature = sign("RSA-SHA256", Buffer.from(signed), privateKey(store, key)).toString("base64url");
  return `${signed}.${signature}`;
}

function privateKey(store: string, key: Secret): KeyObject {
  try {
    // GitHub hands out PKCS #1; a variable may have it in one line.
    const parsed = createPrivateKey(key.expose().replaceAll("\\n", "\n"));
    if (parsed.asymmetricKeyType === "rsa") return parsed;
  } catch {
    // What Node says of it might quote it.
  }
  throw new UserError("store-login", `store ${store}: the private key of the app is no RSA key in PEM`, {
    hint: "store the .pem file of the app as it is: mcp-secrets set REFERENCE < FILE.pem",
  });
}
