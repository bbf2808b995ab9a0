import type { LaunchCredential, LaunchIdentity, ResolveRequest } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { expectOk, type Reply, refusal } from "./failure.ts";
import { createPath, policiesFor, serverOf } from "./names.ts";
import { ask, type Session } from "./session.ts";
import type { LaunchSettings } from "./settings.ts";
import { flagOf, type Json, malformed, numberOf, objectIn, textOf, textsOf } from "./shape.ts";

/** The token of one launch. */
export interface Child {
  readonly session: Session;
  readonly credential: LaunchCredential;
  /** An orphan lives on when its parent ends; every other token dies with it, and its leases too. */
  readonly orphan: boolean;
}

/**
 * Milliseconds that a token lives until its first renewal, which comes when its accessor is written down: one whose
 * answer was lost, or whose launcher was killed before it could write, is nobody's and gone two seconds later. A launch
 * that only reads static secrets is done with its token by then.
 */
const FIRST_LIFE = 1_900;
/** Milliseconds for one request at the end of a launch. */
const PER_TRY = 1_200;

/**
 * Makes a token with the policies of one server and nothing else: not even `default`, whose rights the server's policy
 * grants where they are needed. The launch's id, server, client and host stand in its metadata, which the audit log of
 * the vault shows in clear.
 * @throws UserError store-denied where the parent may not
 */
export async function createChild(
  parent: Session,
  launch: LaunchSettings,
  identity: LaunchIdentity & { readonly host: string },
  request: ResolveRequest,
): Promise<Child> {
  const server = serverOf(identity.entry);
  const policies = policiesFor(launch, server);
  const asked = parent.now();
  const reply = await parent.client.write(
    createPath(launch, server),
    {
      policies,
      ttl: `${FIRST_LIFE}ms`,
      explicit_max_ttl: `${launch.maxTtl}s`,
      renewable: true,
      no_default_policy: true,
      display_name: "mcp-secrets",
      meta: metaOf(identity),
    },
    ask(parent, request),
  );
  if (reply.status === 400 || reply.status === 403 || reply.status === 404)
    throw notAllowed(parent.store, reply, server);
  const auth = objectIn(parent.store, expectOk(parent.store, reply), "auth");
  const child = childOf(parent, auth, { asked, launch }) ?? raise(malformed(parent.store, reply));
  await refuseMore(child, auth, policies, request);
  return child;
}

function childOf(
  parent: Session,
  auth: Json,
  { asked, launch }: { asked: number; launch: LaunchSettings },
): Child | undefined {
  const token = textOf(auth, "client_token");
  const accessor = textOf(auth, "accessor");
  if (token === undefined || accessor === undefined) return undefined;
  return {
    session: { ...parent, token: new Secret(token) },
    orphan: flagOf(auth, "orphan"),
    credential: {
      id: accessor,
      expiresAt: asked + FIRST_LIFE,
      duration: launch.ttl * 1000,
      endsAt: asked + launch.maxTtl * 1000,
      renewable: flagOf(auth, "renewable"),
    },
  };
}

/** A token role or the parent's entity can add policies that nobody asked for: such a token is not used. */
async function refuseMore(child: Child, auth: Json, asked: readonly string[], request: ResolveRequest): Promise<void> {
  const wanted = new Set(asked.map((policy) => policy.toLowerCase()));
  const more = textsOf(auth, "policies").filter((policy) => !wanted.has(policy));
  if (more.length === 0) return;
  await revokeSelf(child.session, request);
  const { store } = child.session;
  throw new UserError(
    "store-denied",
    `store ${store} gave the launch more policies than asked for: ${more.join(", ")}`,
    {
      hint: "set token_no_default_policy on the token role, and take the policies off the identity of the login",
    },
  );
}

/** @throws UserError refused where the token is gone; else why there is no longer life */
export async function renewChild(child: Child, request: ResolveRequest): Promise<Child> {
  const { session, credential } = child;
  const asked = session.now();
  const body = { increment: `${Math.ceil(credential.duration / 1000)}s` };
  const reply = await session.client.write("auth/token/renew-self", body, ask(session, request));
  if (isGone(reply)) {
    throw new UserError("refused", `store ${session.store}: the token of the launch has ended`, {
      hint: "restart the server in its client",
    });
  }
  const auth = objectIn(session.store, expectOk(session.store, reply), "auth");
  const expiresAt = asked + (numberOf(auth, "lease_duration") ?? 0) * 1000;
  return { ...child, credential: { ...credential, expiresAt, renewable: flagOf(auth, "renewable") } };
}

/** Ends the session's own token; answers before what was leased with it is gone: leases are ended first. */
export async function revokeSelf(session: Session, request: ResolveRequest): Promise<void> {
  const reply = await session.client.write("auth/token/revoke-self", {}, { ...ask(session, request), perTry: PER_TRY });
  if (!isGone(reply)) expectOk(session.store, reply);
}

/** A policy that denies is told in other words (`1 error occurred: …`) than a token that does not live. */
function isGone(reply: Reply): boolean {
  return reply.status === 403 && reply.said === "permission denied";
}

/** Ends another token by its accessor; one that is gone already is no error. */
export async function revokeAccessor(session: Session, accessor: string, request: ResolveRequest): Promise<void> {
  const reply = await session.client.write("auth/token/revoke-accessor", { accessor }, ask(session, request));
  const gone = reply.status === 400 && /invalid accessor/i.test(reply.said);
  if (!gone) expectOk(session.store, reply);
}

function metaOf({ id, entry, host }: LaunchIdentity & { readonly host: string }) {
  const client = entry.slice(0, entry.length - serverOf(entry).length - 1);
  return { launch: id, server: serverOf(entry), client, host };
}

function notAllowed(store: string, reply: Reply, server: string): UserError {
  return lackingPolicy(refusal(store, reply), store, server);
}

/** The error of a launch that may not: with the command that prints what it needs. */
export function lackingPolicy(cause: UserError, store: string, server: string): UserError {
  const hint = `mcp-secrets store policy --store ${store} --server ${server}`;
  return new UserError("store-denied", cause.message, { hint });
}

function raise(error: UserError): never {
  throw error;
}
