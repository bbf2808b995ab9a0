import type { ResolveRequest } from "../../src/core/provider.ts";
import type { Secret } from "../../src/core/secret.ts";
import { expectOk, type Reply } from "./failure.ts";
import { fieldsOf } from "./fields.ts";
import { ask, type Session } from "./session.ts";
import { asObject, flagOf, numberOf, objectIn, textOf } from "./shape.ts";

/** An engine that makes a credential when it is asked: database, pki, ssh, totp, kubernetes, rabbitmq. */
export interface EngineMount {
  readonly path: string;
  /** Where there are any, they are written instead of read. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** A fresh credential. Where the engine keeps no lease there is none: a TOTP code, a certificate. */
export interface Issued {
  readonly fields: ReadonlyMap<string, Secret>;
  readonly lease?: IssuedLease;
}

export interface IssuedLease {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly renewable: boolean;
}

/**
 * Asks once more where the answer is lost: the credential of the first try belongs to the same token and ends with it.
 * @throws UserError why there is no credential
 */
export async function issue(
  session: Session,
  mount: EngineMount,
  path: string,
  request: ResolveRequest,
): Promise<Issued> {
  const place = `${mount.path}/${path}`;
  const asked = session.now();
  const reply =
    mount.parameters === undefined
      ? await session.client.read(place, ask(session, request))
      : await session.client.write(place, mount.parameters, ask(session, request));
  const fields = fieldsOf(objectIn(session.store, expectOk(session.store, reply), "data"));
  const lease = leaseOf(reply, asked);
  return lease === undefined ? { fields } : { fields, lease };
}

/** Counted from the moment of asking, so that our clock never says later than the server's. */
export function leaseOf(reply: Reply, asked: number): IssuedLease | undefined {
  const body = asObject(reply.body);
  const id = textOf(body, "lease_id");
  if (id === undefined) return undefined;
  const duration = (numberOf(body, "lease_duration") ?? 0) * 1000;
  return { id, expiresAt: asked + duration, duration, renewable: flagOf(body, "renewable") };
}
