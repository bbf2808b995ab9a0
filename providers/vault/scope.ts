import type {
  LaunchIdentity,
  LaunchScope,
  Lease,
  LeaseJournal,
  Remains,
  ResolveRequest,
} from "../../src/core/provider.ts";
import type { SecretRef } from "../../src/core/ref.ts";
import { UserError } from "../../src/errors.ts";
import { type Child, createChild, lackingPolicy, renewChild, revokeAccessor, revokeSelf } from "./child.ts";
import { type LeaseLeft, renewLease, revokeLeases } from "./leases.ts";
import { placeOf } from "./mounts.ts";
import { serverOf } from "./names.ts";
import type { Parent } from "./parent.ts";
import { type Reads, resolveRefs } from "./resolve.ts";
import { ask, type Session } from "./session.ts";
import type { LaunchSettings, VaultSettings } from "./settings.ts";

/** The store as one launch sees it. */
export interface ScopeParts {
  readonly parent: Parent;
  readonly settings: VaultSettings;
  readonly launch: LaunchIdentity & { readonly host: string };
  readonly journal: LeaseJournal;
  readonly readStatic: NonNullable<Reads["readStatic"]>;
}

/**
 * The scope of a launch with a token of its own.
 * @throws UserError store-denied, store-login, or why there is no answer; nothing is left behind then but what the
 * journal knows
 */
export async function openScope(
  parts: ScopeParts,
  parent: Session,
  settings: LaunchSettings,
  request: ResolveRequest,
): Promise<LaunchScope> {
  if (isStatic(parts, parent, request)) return briefScope(parts, parent, settings, request);
  const child = await mint(parts, parent, settings, request);
  try {
    const bounded = await boundByParent(parts, parent, { child, launch: settings, request });
    return childScope(parts, parent, bounded);
  } catch (error) {
    await endChild(child, parent, [], request);
    throw error;
  }
}

/** True where all is known that will be read, and nothing of it has a lease. @throws UserError config-invalid */
function isStatic({ settings }: ScopeParts, { store }: Session, { refs = [] }: ResolveRequest): boolean {
  return refs.length > 0 && refs.every(({ path }) => placeOf(store, path, settings.mounts).mount.type === "kv");
}

/**
 * The scope of a launch that reads static secrets and is then done: its token is not renewed and ends by itself in two
 * seconds, so that nobody need stand by to end it. The accessor is written down beside the read, and both are waited for.
 * A token that ended before the read did is replaced, as often as the request's time allows.
 */
async function briefScope(
  parts: ScopeParts,
  parent: Session,
  settings: LaunchSettings,
  request: ResolveRequest,
): Promise<LaunchScope> {
  const { launch, journal } = parts;
  const make = async (asked: ResolveRequest) => {
    await journal.intent(true);
    const child = await createChild(parent, settings, launch, asked);
    const noted = journal.made(child.credential);
    // Told where it is waited for.
    noted.catch(() => {});
    return { child, noted };
  };
  let made = await make(request);
  return {
    get credential() {
      return made.child.credential;
    },
    async resolve(refs, asked) {
      for (;;) {
        const { child, noted } = made;
        try {
          const [secrets] = await Promise.all([readAs(parts, parent, child, { refs, request: asked }), noted]);
          return secrets;
        } catch (error) {
          if (!(error instanceof UserError) || !hasEnded(child, error) || parent.now() >= asked.deadline) throw error;
          made = await make(asked);
        }
      }
    },
    renew: async (lease) => lease,
    extend: async () => undefined,
    end: (leases, asked) => endChild(made.child, parent, idsOf(leases), asked),
  };
}

function hasEnded({ session, credential }: Child, error: UserError): boolean {
  return error.code === "store-denied" && session.now() >= credential.expiresAt;
}

/** A token lives for seconds until it is renewed for the first time: an election in between may take longer. */
const MINTS = 3;

/**
 * A token whose accessor is on disk, and which lives for as long as the settings say.
 * @throws UserError store-denied, or why there is no answer
 */
async function mint(
  { launch, journal }: ScopeParts,
  parent: Session,
  settings: LaunchSettings,
  request: ResolveRequest,
): Promise<Child> {
  for (let tries = 1; ; tries++) {
    await journal.intent();
    const child = await createChild(parent, settings, launch, request);
    try {
      await journal.made(child.credential);
      return await asServer(parent.store, launch, () => renewChild(child, request));
    } catch (error) {
      await endChild(child, parent, [], request);
      const ended = error instanceof UserError && error.code === "refused";
      if (!ended || tries === MINTS) throw error;
    }
  }
}

/** Work in the name of the store's login, which is done anew where the vault does not take it any more. */
export type AsParent = <T>(request: ResolveRequest, work: (session: Session) => Promise<T>) => Promise<T>;

/** The scope of a launch that has no token of its own, as the settings say. */
export function parentScope(
  { settings, journal, readStatic }: Omit<ScopeParts, "parent" | "launch">,
  asParent: AsParent,
): LaunchScope {
  const leased = (lease: Lease) => journal.leased(lease);
  return {
    credential: undefined,
    resolve: (refs, request) =>
      asParent(request, (session) => resolveRefs(session, settings.mounts, refs, { request, leased, readStatic })),
    renew: (lease, request) => asParent(request, (session) => renewLease(session, lease, request)),
    extend: async () => undefined,
    async end(leases, request) {
      const ids = idsOf(leases);
      if (ids.length === 0) return { leases: [], credentials: [] };
      try {
        const left = await asParent(request, (session) => revokeLeases(session, ids, request));
        return { leases: idsOf(left), credentials: [] };
      } catch (error) {
        if (error instanceof UserError) return { leases: ids, credentials: [] };
        throw error;
      }
    },
  };
}

function childScope(parts: ScopeParts, parent: Session, first: Child): LaunchScope {
  let child = first;
  return {
    get credential() {
      return child.credential;
    },
    resolve: (refs, request) => readAs(parts, parent, child, { refs, request }),
    renew: (lease, request) => renewLease(child.session, lease, request),
    async extend(request) {
      const renewed = await renewChild(child, request);
      child = renewed.orphan ? renewed : await extendParent(parts, parent, renewed, request);
      return child.credential;
    },
    end: (leases, request) => endChild(child, parent, idsOf(leases), request),
  };
}

function readAs(
  { settings, launch, journal, readStatic }: ScopeParts,
  parent: Session,
  child: Child,
  { refs, request }: { refs: readonly SecretRef[]; request: ResolveRequest },
) {
  const leased = (lease: Lease) => journal.leased(lease);
  return asServer(parent.store, launch, () =>
    resolveRefs(child.session, settings.mounts, refs, { request, leased, readStatic }),
  );
}

/** A token that is no orphan lives no longer than its parent, whatever it says of itself. */
async function boundByParent(
  parts: ScopeParts,
  parent: Session,
  { child, launch, request }: { child: Child; launch: LaunchSettings; request: ResolveRequest },
): Promise<Child> {
  const ends = child.orphan ? Infinity : await parts.parent.expiry(parent, request);
  const { credential } = child;
  const bounded = { ...credential, expiresAt: Math.min(credential.expiresAt, ends) };
  if (bounded.expiresAt - parent.now() >= launch.minTtl * 1000) return { ...child, credential: bounded };
  throw new UserError("store-login", `store ${parent.store}: the launch's token would end before ${launch.minTtl} s`, {
    hint: "log in to the vault again, or set token_ttl of the role and launch.ttl of the store to more",
  });
}

/** The parent's own life is prolonged where it can be; the child says the truth about its end either way. */
async function extendParent(parts: ScopeParts, parent: Session, child: Child, request: ResolveRequest): Promise<Child> {
  const reply = await parent.client.write("auth/token/renew-self", {}, ask(parent, request));
  if (reply.status === 200) parts.parent.forgetExpiry();
  const ends = await parts.parent.expiry(parent, request);
  const { credential } = child;
  return { ...child, credential: { ...credential, expiresAt: Math.min(credential.expiresAt, ends) } };
}

/**
 * Leases first, each waited for: a token's own end is answered before its leases are gone. Where its policy does not let
 * the token end itself, its parent ends it.
 */
async function endChild(
  child: Child,
  parent: Session,
  leases: readonly string[],
  request: ResolveRequest,
): Promise<Remains> {
  const { id } = child.credential;
  const left = await revokeLeases(child.session, leases, request);
  const gone =
    (await succeeded(() => revokeSelf(child.session, request))) ||
    (await succeeded(() => revokeAccessor(parent, id, request)));
  return { leases: idsOf(gone ? notEnding(left) : left), credentials: gone ? [] : [id] };
}

/** What the launch's own token may not do is for its server's policy to grant. */
async function asServer<T>(store: string, launch: LaunchIdentity, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "store-denied") throw error;
    throw lackingPolicy(error, store, serverOf(launch.entry));
  }
}

/** What a launch that is gone has left: its leases, then its token by the accessor. */
export async function reapRemains(parent: Session, remains: Remains, request: ResolveRequest): Promise<Remains> {
  const leases = await revokeLeases(parent, remains.leases, request);
  const credentials = await Promise.all(
    remains.credentials.map(async (id) => ((await succeeded(() => revokeAccessor(parent, id, request))) ? [] : [id])),
  );
  const left = credentials.flat();
  const still = remains.credentials.length > 0 && left.length === 0 ? notEnding(leases) : leases;
  return { leases: idsOf(still), credentials: left };
}

/** Leases that we may not touch, or whose token was gone before, end with their token: the server sees to it. */
function notEnding(left: readonly LeaseLeft[]): readonly LeaseLeft[] {
  return left.filter(({ error }) => error.code !== "store-denied");
}

async function succeeded(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

function idsOf(leases: readonly { readonly id: string }[]): string[] {
  return leases.map((lease) => lease.id);
}
