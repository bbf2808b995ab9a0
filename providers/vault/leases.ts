import type { Lease, ResolveRequest } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import { leaseOf } from "./engine.ts";
import { expectOk } from "./failure.ts";
import { ask, type Session } from "./session.ts";
import { malformed } from "./shape.ts";

/** At the end of a launch, for one request. */
const PER_TRY = 1_200;

/**
 * More time for a lease. The increment is always said: a renewal without one sets the lease back to its default life.
 * The id stands in the path, so that a policy can grant one role's leases and no other's.
 * @throws UserError refused where the lease is gone, or why there is no answer
 */
export async function renewLease(session: Session, lease: Lease, request: ResolveRequest): Promise<Lease> {
  const asked = session.now();
  const increment = Math.ceil(lease.duration / 1000);
  const reply = await session.client.write(`sys/leases/renew/${lease.id}`, { increment }, ask(session, request));
  if (reply.status === 400) {
    throw new UserError("refused", `store ${session.store}: the lease of ${lease.ref.path} is gone`, {
      hint: "restart the server in its client to get a new one",
    });
  }
  const renewed = leaseOf(expectOk(session.store, reply), asked);
  if (renewed === undefined) throw malformed(session.store, reply);
  // What was first given stays what is asked for, even where the last renewal gave less.
  return { ...lease, expiresAt: renewed.expiresAt, renewable: renewed.renewable };
}

/** Ends a lease and waits until its credential is gone; one that is gone already is no error. */
export async function revokeLease(session: Session, id: string, request: ResolveRequest): Promise<void> {
  const reply = await session.client.write(
    `sys/leases/revoke/${id}`,
    { sync: true },
    { ...ask(session, request), perTry: PER_TRY },
  );
  expectOk(session.store, reply);
}

/** A lease that could not be ended, and why. */
export interface LeaseLeft {
  readonly id: string;
  readonly error: UserError;
}

export async function revokeLeases(
  session: Session,
  ids: readonly string[],
  request: ResolveRequest,
): Promise<readonly LeaseLeft[]> {
  const left = await Promise.all(
    ids.map(async (id) => {
      try {
        await revokeLease(session, id, request);
        return [];
      } catch (error) {
        if (error instanceof UserError) return [{ id, error }];
        throw error;
      }
    }),
  );
  return left.flat();
}
