import type { LaunchScope, ResolvedSecret, ResolveRequest } from "../../src/core/provider.ts";
import type { SecretRef } from "../../src/core/ref.ts";
import { type ErrorCode, UserError } from "../../src/errors.ts";
import type { Copies } from "./copies.ts";
import { pick } from "./resolve.ts";

/** Nobody answers: no network, no server, or one that has a fault of its own (5xx, sealed). */
const OUTAGE: ReadonlySet<ErrorCode> = new Set(["store-unavailable", "store-timeout", "store-sealed"]);
/** The vault has answered, and the answer is no: 401, 403, 404, deleted, destroyed. */
const REFUSED: ReadonlySet<ErrorCode> = new Set(["store-denied", "secret-not-found", "secret-deleted"]);
/**
 * Milliseconds that the vault has where copies are at hand: clients drop servers that have not answered after two
 * seconds.
 */
const SOON = 1_500;

/**
 * A scope that answers from copies while the vault does not, where there is a copy of everything that is asked for. A
 * refusal drops the copies: what the vault says no to is not had from elsewhere.
 */
export async function withCopies(
  copies: Copies,
  request: ResolveRequest,
  open: (request: ResolveRequest) => Promise<LaunchScope>,
): Promise<LaunchScope> {
  const { refs = [] } = request;
  const paths = [...new Set(refs.map(({ path }) => path))];
  const covered = paths.length > 0 && copies.cover(paths);
  const end = covered ? copies.now() + SOON : Infinity;
  try {
    return answeringFrom(copies, await open(until(request, end)), end);
  } catch (error) {
    if (isOf(REFUSED, error)) copies.dropAll();
    if (!covered || !isOf(OUTAGE, error)) throw error;
    return offline(copies, error);
  }
}

function answeringFrom(copies: Copies, scope: LaunchScope, end: number): LaunchScope {
  return {
    get credential() {
      return scope.credential;
    },
    async resolve(refs, request) {
      try {
        return await scope.resolve(refs, until(request, end));
      } catch (error) {
        if (isOf(REFUSED, error)) for (const { path } of refs) copies.drop(path);
        if (!isOf(OUTAGE, error)) throw error;
        return fromCopies(copies, refs, error);
      }
    },
    renew: (lease, request) => scope.renew(lease, request),
    extend: (request) => scope.extend(request),
    end: (leases, request) => scope.end(leases, request),
  };
}

function until(request: ResolveRequest, end: number): ResolveRequest {
  return { ...request, deadline: Math.min(request.deadline, end) };
}

/** There is no token, and nothing to give back. */
function offline(copies: Copies, reason: UserError): LaunchScope {
  return {
    credential: undefined,
    resolve: (refs) => fromCopies(copies, refs, reason),
    renew: () => Promise.reject(reason),
    extend: async () => undefined,
    end: async () => ({ leases: [], credentials: [] }),
  };
}

/** @throws `reason` where one of them has no copy */
async function fromCopies(
  copies: Copies,
  refs: readonly SecretRef[],
  reason: UserError,
): Promise<readonly ResolvedSecret[]> {
  const paths = [...new Set(refs.map(({ path }) => path))];
  const found = new Map(await Promise.all(paths.map(async (path) => [path, await copies.find(path)] as const)));
  return refs.map((ref) => {
    const copy = found.get(ref.path);
    if (copy === undefined) throw reason;
    return { ...pick(ref, copy.reading), staleSince: copy.readAt };
  });
}

function isOf(codes: ReadonlySet<ErrorCode>, error: unknown): error is UserError {
  return error instanceof UserError && codes.has(error.code);
}
