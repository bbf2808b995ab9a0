import { createHash } from "node:crypto";
import type { ResolveRequest, StoreOptions } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { readCredential } from "./credential.ts";
import { login, type LoginSettings, type ParentToken } from "./login.ts";
import type { Client } from "./client.ts";
import { expectOk } from "./failure.ts";
import { ask, type Session } from "./session.ts";
import type { VaultSettings } from "./settings.ts";
import { flagOf, numberOf, objectIn, textOf } from "./shape.ts";
import { dropState, once, readState, writeState } from "./state.ts";

/** The store's own login, which every launch on this machine shares. */
export interface Parent {
  /**
   * A session of the parent that lives for `milliseconds` more at least.
   * @throws UserError store-login
   */
  session(request: ResolveRequest, milliseconds: number): Promise<Session>;
  /** When the parent ends: asks the server where the login did not say. */
  expiry(session: Session, request: ResolveRequest): Promise<number>;
  /** The end has moved. */
  forgetExpiry(): void;
  /** Forgets a token that the server no longer takes. */
  forget(): void;
}

export function createParent(options: StoreOptions, settings: VaultSettings, client: Client): Parent {
  const { auth } = settings;
  let current: ParentToken | undefined;

  async function tokenFor(request: ResolveRequest, milliseconds: number): Promise<ParentToken> {
    if (auth.method === "token") {
      const { value } = readCredential(options, auth.tokenFile);
      return { token: value, expiresAt: current?.expiresAt ?? Infinity, renewable: false };
    }
    const lasts = (token: ParentToken | undefined) =>
      token !== undefined && token.expiresAt - options.now() > milliseconds ? token : undefined;
    const work = () => fresh(auth, request, milliseconds);
    return lasts(current) ?? shareLogin(options, settings, { lasts, work, deadline: request.deadline });
  }

  async function fresh(method: LoginSettings, request: ResolveRequest, milliseconds: number): Promise<ParentToken> {
    const token = await login(options, client, method, request);
    if (token.expiresAt - options.now() > milliseconds) return token;
    throw new UserError("store-login", `store ${options.store}: its login lives for less than a launch needs`, {
      hint: "raise token_ttl of the role, or lower launch.minTtl of the store",
    });
  }

  return {
    async session(request, milliseconds) {
      current = await tokenFor(request, milliseconds);
      return { store: options.store, client, token: current.token, shared: current.shared === true, now: options.now };
    },
    async expiry(session, request) {
      if (current !== undefined && current.expiresAt !== Infinity) return current.expiresAt;
      const found = await lookUpSelf(session, request);
      current = found;
      return found.expiresAt;
    },
    forgetExpiry() {
      if (current !== undefined) current = { ...current, expiresAt: Infinity };
    },
    forget() {
      current = undefined;
      dropState(options, "token");
    },
  };
}

/** One login for all launches that need one at the same time; the token lies 0600 until it ends. */
function shareLogin(
  options: StoreOptions,
  settings: VaultSettings,
  task: {
    readonly lasts: (token: ParentToken | undefined) => ParentToken | undefined;
    readonly work: () => Promise<ParentToken>;
    readonly deadline: number;
  },
): Promise<ParentToken> {
  // A token belongs to one place and one way of logging in.
  const place = JSON.stringify([settings.addresses, settings.namespace, settings.auth, settings.certFile]);
  const identity = createHash("sha256").update(place).digest("hex");
  return once(options, "token", {
    deadline: task.deadline,
    look: () => task.lasts(readShared(options, identity)),
    work: async () => {
      const token = await task.work();
      const expiresAt = Number.isFinite(token.expiresAt) ? token.expiresAt : undefined;
      await writeState(options, "token", {
        identity,
        token: token.token.expose(),
        renewable: token.renewable,
        ...(expiresAt !== undefined && { expiresAt }),
      });
      return token;
    },
  });
}

function readShared(options: StoreOptions, identity: string): ParentToken | undefined {
  const state = readState(options, "token");
  const token = textOf(state, "token");
  if (token === undefined || textOf(state, "identity") !== identity) return undefined;
  return {
    token: new Secret(token),
    expiresAt: numberOf(state, "expiresAt") ?? Infinity,
    renewable: flagOf(state, "renewable"),
    shared: true,
  };
}

/** What the server knows about the session's own token. A TTL of 0 is a token without an end. */
async function lookUpSelf(session: Session, request: ResolveRequest): Promise<ParentToken> {
  const asked = session.now();
  const reply = await session.client.read("auth/token/lookup-self", ask(session, request));
  const data = objectIn(session.store, expectOk(session.store, reply, "log in again"), "data");
  const ttl = numberOf(data, "ttl") ?? 0;
  const expiresAt = ttl === 0 ? Infinity : asked + ttl * 1000;
  return { token: session.token, expiresAt, renewable: flagOf(data, "renewable") };
}
