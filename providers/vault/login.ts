import type { ResolveRequest, StoreOptions } from "../../src/core/provider.ts";
import { parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { Client } from "./client.ts";
import { dropCopies } from "./copies.ts";
import { type Reply, refusal } from "./failure.ts";
import { flagOf, numberOf, objectIn, malformed, textOf } from "./shape.ts";
import { type Credential, readCredential } from "./credential.ts";
import { noteRefusal, refuseRepeat } from "./refusals.ts";
import type { AuthSettings } from "./auth.ts";
import { unwrapSecretId } from "./wrapped.ts";

/** The token that launches are made from. */
export interface ParentToken {
  readonly token: Secret;
  /** Milliseconds since the epoch; Infinity where it does not end, or nobody has told us. */
  readonly expiresAt: number;
  readonly renewable: boolean;
  /** True where an earlier launch has logged in for us. */
  readonly shared?: boolean;
}

export type LoginSettings = Exclude<AuthSettings, { method: "token" }>;

/** What is sent to `auth/PATH`, and the credential's origin where a refusal counts towards a lock. */
interface Attempt {
  readonly path: string;
  readonly body: Readonly<Record<string, string>>;
  readonly counted?: string;
}

/**
 * Logs in, once: a login is not repeated, for a single-use credential is gone with the first, and failures lock.
 * @throws UserError store-login where it is refused; store-incident for a wrapped secret id that somebody else used
 */
export async function login(
  options: StoreOptions,
  client: Client,
  auth: LoginSettings,
  request: ResolveRequest,
): Promise<ParentToken> {
  const attempt = await prepare(options, client, auth, request);
  if (attempt.counted !== undefined) refuseRepeat(options, attempt.counted);
  const asked = options.now();
  const patience = { deadline: request.deadline, signal: request.signal, repeatable: false };
  const reply = await client.write(`auth/${attempt.path}`, attempt.body, patience);
  if (reply.status === 200) return tokenOf(options.store, reply, asked);
  if (reply.status < 500) dropCopies(options);
  if (reply.status < 500 && attempt.counted !== undefined) await noteRefusal(options, attempt.counted);
  throw refused(options.store, auth, reply);
}

/** Where `auth` of a reply is the token. */
export function tokenOf(store: string, reply: Reply, asked: number): ParentToken {
  const auth = objectIn(store, reply, "auth");
  const token = textOf(auth, "client_token");
  if (token === undefined) throw malformed(store, reply);
  const duration = numberOf(auth, "lease_duration") ?? 0;
  const expiresAt = duration === 0 ? Infinity : asked + duration * 1000;
  return { token: new Secret(token), expiresAt, renewable: flagOf(auth, "renewable") };
}

async function prepare(
  options: StoreOptions,
  client: Client,
  auth: LoginSettings,
  request: ResolveRequest,
): Promise<Attempt> {
  const { mount } = auth;
  switch (auth.method) {
    case "approle": {
      const secretId = await secretIdOf(options, client, auth, request);
      const body = { role_id: auth.roleId, secret_id: secretId.value.expose() };
      return { path: `${mount}/login`, body, counted: `${auth.roleId} ${secretId.origin}` };
    }
    case "jwt":
    case "kubernetes": {
      const jwt = readCredential(options, auth.jwtFile, true);
      return { path: `${mount}/login`, body: { role: auth.role, jwt: jwt.value.expose() } };
    }
    case "userpass": {
      const password = await passwordOf(options, auth.password);
      const body = { password: password.value.expose() };
      return { path: `${mount}/login/${auth.user}`, body, counted: `${auth.user} ${password.origin}` };
    }
    case "cert":
      return { path: `${mount}/login`, body: auth.role === undefined ? {} : { name: auth.role } };
  }
}

function secretIdOf(
  options: StoreOptions,
  client: Client,
  auth: Extract<AuthSettings, { method: "approle" }>,
  request: ResolveRequest,
): Promise<Credential> | Credential {
  if (auth.wrappedFor === undefined) return readCredential(options, auth.secretIdFile);
  const creationPath = `auth/${auth.mount}/role/${auth.wrappedFor}/secret-id`;
  return unwrapSecretId(options, client, auth.secretIdFile, { creationPath, request });
}

async function passwordOf(
  options: StoreOptions,
  place: Extract<AuthSettings, { method: "userpass" }>["password"],
): Promise<Credential> {
  if ("file" in place) return readCredential(options, place.file);
  const { value, version } = await options.lookUp(parseRef(place.ref));
  return { value, origin: `${place.ref} ${version ?? 0}` };
}

const REPLACE: Record<LoginSettings["method"], string> = {
  approle: "deliver a new secret id: bao write -f auth/approle/role/ROLE/secret-id",
  jwt: "get a new JWT from its issuer, and look at the bound claims of the role",
  kubernetes: "look at the service accounts and namespaces that the role is bound to",
  userpass: "check the user and the password; five failed logins lock the account for 15 minutes",
  cert: "check certFile and keyFile, and which certificates the role allows",
};

function refused(store: string, auth: LoginSettings, reply: Reply): UserError {
  if (reply.status !== 400 && reply.status !== 401 && reply.status !== 403 && reply.status !== 404) {
    return refusal(store, reply);
  }
  const locked = reply.status === 403 && (auth.method === "approle" || auth.method === "userpass");
  const note = locked ? " (after five failed logins this comes for the right credential too, for 15 minutes)" : "";
  return new UserError(
    "store-login",
    `store ${store} refused the ${auth.method} login: ${reply.status} ${reply.said}${note}`,
    {
      hint: REPLACE[auth.method],
    },
  );
}
