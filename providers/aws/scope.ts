import { randomBytes } from "node:crypto";
import type {
  LaunchIdentity,
  LaunchScope,
  LeaseJournal,
  ResolvedSecret,
  ResolveRequest,
} from "../../src/core/provider.ts";
import { inParallel } from "../../src/core/parallel.ts";
import type { SecretRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import type { ContainerServer } from "./container.ts";
import type { Login } from "./login.ts";
import { isRolePath, nameOf } from "./names.ts";
import { sessionPolicyFor } from "./policy.ts";
import { resolveSecrets } from "./resolve.ts";
import { fieldIn, resolveRole, roleGroups, roleOf } from "./roles.ts";
import { sessionRequest } from "./sessions.ts";
import type { RoleSettings } from "./settings.ts";

/** A container server is called for as often as a role is refreshed, long after the launch's own deadline. */
const MINT_TIME = 8_000;

/**
 * The store as one launch sees it: secrets read with a session of its own where the store has a role, sessions of roles
 * for the server, and the servers that refresh them. STS takes nothing back: what is left ends by itself, in minutes.
 */
export function openScope(login: Login, launch: LaunchIdentity, journal: LeaseJournal): LaunchScope {
  const containers = new Map<string, Promise<ContainerParts>>();
  const launched: Launched = { login, launch, journal, containers };
  let noted: Promise<void> | undefined;
  return {
    credential: undefined,
    async resolve(refs, request) {
      const groups = roleGroups(refs);
      if (groups.length > 0) await (noted ??= journal.intent());
      const roles = inParallel(groups, (group) => resolveForServer(launched, group, request));
      const secrets = readForLaunch(
        launched,
        refs.filter(({ path }) => !isRolePath(path)),
        request,
      );
      const [fromRoles, fromSecrets] = await Promise.all([roles, secrets]);
      return [...fromRoles.flat(), ...fromSecrets];
    },
    async renew() {
      throw new UserError("refused", "STS renews no session");
    },
    extend: async () => undefined,
    async end() {
      const started = await Promise.allSettled(containers.values());
      for (const one of started) if (one.status === "fulfilled") one.value.server.close();
      login.close();
      return { leases: [], credentials: [] };
    },
  };
}

interface Launched {
  readonly login: Login;
  readonly launch: LaunchIdentity;
  readonly journal: LeaseJournal;
  readonly containers: Map<string, Promise<ContainerParts>>;
}

async function readForLaunch(
  { login, launch }: Launched,
  refs: readonly SecretRef[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  if (refs.length === 0) return [];
  const { store, settings, options } = login;
  const names = [...new Set(refs.map(({ path }) => nameOf(store, settings.prefix, path)))].toSorted();
  const api = await login.secretsFor({ host: options.host, launch }, sessionPolicyFor(settings, names), request);
  return resolveSecrets({ store, settings, api }, refs, request);
}

/** All of one path: of one session, or of one server. */
async function resolveForServer(
  launched: Launched,
  refs: readonly SecretRef[],
  request: ResolveRequest,
): Promise<readonly ResolvedSecret[]> {
  const { login, launch, journal } = launched;
  const { store, settings, options } = login;
  const [first] = refs;
  if (first === undefined) return [];
  const role = roleOf(store, settings, first.path);
  if (role.deliver === "container-credentials") return deliver(launched, role, refs);
  const parts = { store, sts: await login.sts(), now: options.now };
  const resolved = await resolveRole(parts, { role, owner: { host: options.host, launch } }, refs, request);
  const lease = resolved[0]?.lease;
  if (lease !== undefined) await journal.leased(lease);
  return resolved;
}

interface ContainerParts {
  readonly server: ContainerServer;
  readonly token: string;
}

const CONTAINER_FIELDS: Readonly<Record<string, (parts: ContainerParts) => string>> = {
  credentials_uri: ({ server }) => server.uri,
  authorization_token: ({ token }) => token,
};

/** Nothing is asked of STS before the server asks. The lease keeps the launcher, which is the server's, in its place. */
async function deliver(
  launched: Launched,
  role: RoleSettings,
  refs: readonly SecretRef[],
): Promise<readonly ResolvedSecret[]> {
  const [first] = refs;
  if (first === undefined) return [];
  const fields = refs.map((ref) => [ref, fieldIn(ref, CONTAINER_FIELDS)] as const);
  const { field: _, ...whole } = first;
  const lease = {
    id: `container ${first.path}`,
    ref: whole,
    expiresAt: Infinity,
    duration: Infinity,
    renewable: false,
  };
  const known = launched.containers.get(first.path);
  const starting = known ?? startFor(launched, role, first.path);
  launched.containers.set(first.path, starting);
  const parts = await starting;
  if (known === undefined) await launched.journal.leased(lease);
  return fields.map(([ref, field]) => ({ ref, value: new Secret(field(parts)), lease }));
}

async function startFor(
  { login, launch, journal }: Launched,
  role: RoleSettings,
  path: string,
): Promise<ContainerParts> {
  const { store, options } = login;
  const { startContainerServer } = await import("./container.ts");
  const token = `Bearer ${randomBytes(32).toString("hex")}`;
  const session = sessionRequest(store, role, { host: options.host, launch });
  const server = await startContainerServer({
    token,
    now: options.now,
    mint: async () => (await login.sts()).assume(session, { deadline: options.now() + MINT_TIME }),
    refused: (why) => journal.refused?.(`credentials of ${store}/${path}: ${why}`),
  });
  return { server, token };
}
