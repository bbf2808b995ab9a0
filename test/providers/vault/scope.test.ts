import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stoppedGrowing } from "../../../src/core/lease.ts";
import type { LaunchScope, Lease, Provider } from "../../../src/core/provider.ts";
import { parseRef } from "../../../src/core/ref.ts";
import { auditEntries, type OpenBao, startOpenBao } from "../../servers/openbao.ts";
import { json, startFake } from "../../servers/fake-vault.ts";
import { type Postgres, startPostgres } from "../../servers/postgres.ts";
import { logsIn, query } from "../../servers/postgres-client.ts";
import { connectDatabase, leasesOf, makeRole, tokensOf } from "./database.ts";
import { failureOf, memoryJournal, request } from "../parts.ts";
import { rootStore, type TestStore, testStore } from "./store.ts";

const MOUNTS = { kv: { path: "secret" }, db: { type: "engine", path: "database/creds" } };
/** What `store policy` prints is tested elsewhere; here the policy may read everything and end its own leases. */
const POLICY = `path "secret/data/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/+/database/creds/*" { capabilities = ["update"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }`;

let bao: OpenBao;
let postgres: Postgres;
let launches = 0;

beforeAll(async () => {
  bao = await startOpenBao();
  const started = await startPostgres("superuser-password");
  if (started === undefined) throw new Error("no PostgreSQL here, and none can be installed");
  postgres = started;
  await connectDatabase(bao, postgres);
  await bao.call("POST", "secret/data/kv", { data: { value: "v" } });
  await bao.call("POST", "sys/policies/acl/mcp-github", { policy: POLICY });
});
afterAll(async () => {
  await bao?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

function team(launch: unknown = {}): TestStore {
  return rootStore(bao, { mounts: MOUNTS, launch });
}

/** A launch of the server `github`. */
async function scopeOf(provider: Provider, journal = memoryJournal()) {
  launches += 1;
  const launch = { id: `launch-${launches}-${process.pid}`, entry: "claude-desktop/github" };
  const scope = await provider.scope?.(launch, request(), journal);
  if (scope === undefined) throw new Error("no scope");
  return { scope, launch, journal };
}

async function credentialOf(
  scope: LaunchScope,
  role: string,
): Promise<{ user: string; password: string; lease: Lease }> {
  const refs = ["username", "password"].map((field) => parseRef(`mcp-secret://team/db/${role}#${field}`));
  const [user, password] = await scope.resolve(refs, request());
  if (user?.lease === undefined || password === undefined) throw new Error("no lease");
  return { user: user.value.expose(), password: password.value.expose(), lease: user.lease };
}

describe("a launch's own token", () => {
  test("has the server's policy and no other, reads with it, is journaled, and shows in the audit log", async () => {
    const { scope, launch, journal } = await scopeOf(await team().open());
    const [secret] = await scope.resolve([parseRef("mcp-secret://team/kv/kv")], request());
    expect(secret?.value.expose()).toBe("v");
    expect(journal.events).toEqual(["intent", `made ${scope.credential?.id}`]);
    const read = auditEntries(bao).findLast(({ request: asked }) => asked.path === "secret/data/kv");
    expect(read.auth).toMatchObject({
      accessor: scope.credential?.id,
      policies: ["mcp-github"],
      metadata: { launch: launch.id, server: "github", client: "claude-desktop", host: "test-host" },
    });
    expect(await scope.end([], request())).toEqual({ leases: [], credentials: [] });
    expect(await tokensOf(bao, launch.id)).toEqual([]);
  });

  test("user and password come from one lease, journaled before they are handed out; after the end the role is gone", async () => {
    await makeRole(bao, "whole");
    const { scope, launch, journal } = await scopeOf(await team().open());
    const { lease, ...login } = await credentialOf(scope, "whole");
    expect(await leasesOf(bao, "whole")).toEqual([lease.id]);
    expect(journal.events.at(-1)).toBe(`leased ${lease.id}`);
    expect(lease.ref).toEqual({ store: "team", path: "db/whole" });
    expect(await logsIn(postgres, login)).toBe(true);
    expect(await scope.end([lease], request())).toEqual({ leases: [], credentials: [] });
    // At the reply, not some time after it.
    expect(await logsIn(postgres, login)).toBe(false);
    expect([await leasesOf(bao, "whole"), await tokensOf(bao, launch.id)]).toEqual([[], []]);
    expect(await scope.end([lease], request())).toEqual({ leases: [], credentials: [] });
  });

  test("two launches share no token and no lease", async () => {
    await makeRole(bao, "apart");
    const provider = await team().open();
    const [one, two] = [await scopeOf(provider), await scopeOf(provider)];
    const [first, second] = [await credentialOf(one.scope, "apart"), await credentialOf(two.scope, "apart")];
    expect(first.lease.id).not.toBe(second.lease.id);
    expect(one.scope.credential?.id).not.toBe(two.scope.credential?.id);
    await one.scope.end([first.lease], request());
    expect([await logsIn(postgres, first), await logsIn(postgres, second)]).toEqual([false, true]);
    await two.scope.end([second.lease], request());
  });

  test("a policy that the login may not give is refused, with the command that prints what is missing", async () => {
    await bao.call("POST", "sys/policies/acl/narrow", {
      policy: 'path "auth/token/lookup-self" { capabilities = ["read"] }',
    });
    const { body } = await bao.call("POST", "auth/token/create", { policies: ["narrow"], no_default_policy: true });
    const store = team();
    store.file(".vault-token", body.auth.client_token);
    const provider = await store.open();
    const journal = memoryJournal();
    expect(await failureOf(() => scopeOf(provider, journal))).toMatchObject({
      code: "store-denied",
      exit: 77,
      hint: "mcp-secrets store policy --store team --server github",
    });
    expect(journal.events).toEqual(["intent"]);
  });

  test("one with more policies than asked for is not used, and does not live on", async () => {
    await bao.call("POST", "auth/token/roles/generous", {
      allowed_policies: "mcp-github,other",
      token_bound_cidrs: "",
    });
    await bao.call("POST", "sys/auth/userpass", { type: "userpass" });
    await bao.call("POST", "auth/userpass/users/dev", { password: "pw", token_policies: "root-like" });
    await bao.call("POST", "sys/policies/acl/root-like", {
      policy: 'path "auth/token/*" { capabilities = ["update", "read", "sudo"] }',
    });
    const mounts = await bao.call("GET", "sys/auth");
    const entity = await bao.call("POST", "identity/entity", { name: "dev", policies: ["of-the-entity"] });
    await bao.call("POST", "identity/entity-alias", {
      name: "dev",
      canonical_id: entity.body.data.id,
      mount_accessor: mounts.body.data["userpass/"].accessor,
    });
    const auth = { method: "userpass", user: "dev", passwordFile: "~/pw" };
    const settings = { addresses: bao.address, mounts: MOUNTS, auth, launch: { role: "generous" } };
    const store = testStore({ settings });
    store.file("pw", "pw");
    const provider = await store.open();
    const failure = await failureOf(() => scopeOf(provider));
    expect(failure.message).toContain("gave the launch more policies than asked for: of-the-entity");
    expect(await tokensOf(bao, `launch-${launches}-${process.pid}`)).toEqual([]);
  });

  test("until its accessor is written down it lives for seconds only", async () => {
    const ttls: number[] = [];
    const look = async ({ id }: { readonly id: string }) => {
      const { body } = await bao.call("POST", "auth/token/lookup-accessor", { accessor: id });
      ttls.push(body.data.ttl);
    };
    const { scope } = await scopeOf(await team({ ttl: "10m" }).open(), { ...memoryJournal(), made: look });
    await look({ id: scope.credential?.id ?? "" });
    expect(ttls[0]).toBeLessThanOrEqual(5);
    expect(ttls[1]).toBeGreaterThan(590);
    await scope.end([], request());
  });

  test("when the journal cannot be written there is no token", async () => {
    const journal = memoryJournal();
    const provider = await team().open();
    const full = { ...journal, made: () => Promise.reject(new Error("disk full")) };
    await expect(scopeOf(provider, full as never)).rejects.toThrow("disk full");
    expect(await tokensOf(bao, `launch-${launches}-${process.pid}`)).toEqual([]);
  });

  test("a token dies with its parent unless it is an orphan: it says so, and is refused where that is too soon", async () => {
    const parent = async (ttl: string) => {
      const body = { policies: ["root"], ttl, explicit_max_ttl: ttl, no_parent: true };
      return (await bao.call("POST", "auth/token/create", body)).body.auth.client_token as string;
    };
    const store = team({ ttl: "10m", minTtl: "60s" });
    store.file(".vault-token", await parent("120s"));
    const { scope } = await scopeOf(await store.open());
    const left = (scope.credential?.expiresAt ?? 0) - Date.now();
    expect(left).toBeGreaterThan(60_000);
    expect(left).toBeLessThanOrEqual(120_000);
    await scope.end([], request());
    store.file(".vault-token", await parent("30s"));
    const provider = await store.open();
    expect((await failureOf(() => scopeOf(provider))).message).toContain("would end before 60 s");
    expect(await tokensOf(bao, `launch-${launches}-${process.pid}`)).toEqual([]);
    await bao.call("POST", "auth/token/roles/orphans", {
      orphan: true,
      allowed_policies: "mcp-github",
      renewable: true,
    });
    const orphans = team({ ttl: "10m", minTtl: "60s", role: "orphans" });
    orphans.file(".vault-token", await parent("30s"));
    const { scope: orphan } = await scopeOf(await orphans.open());
    expect((orphan.credential?.expiresAt ?? 0) - Date.now()).toBeGreaterThan(500_000);
    await orphan.end([], request());
  });

  test("without tokens of their own, launches read with the login's and give their leases back", async () => {
    await makeRole(bao, "direct");
    const { scope, journal } = await scopeOf(await team("none").open());
    expect(scope.credential).toBeUndefined();
    const { lease } = await credentialOf(scope, "direct");
    expect(journal.events).toEqual([`leased ${lease.id}`]);
    expect(await scope.end([lease], request())).toEqual({ leases: [], credentials: [] });
    expect(await leasesOf(bao, "direct")).toEqual([]);
  });
});

describe("renewal", () => {
  test("asks for the first duration again: without an increment the server would shorten the lease", async () => {
    await makeRole(bao, "renewed", { default_ttl: "20s" });
    const { scope } = await scopeOf(await team().open());
    const { lease } = await credentialOf(scope, "renewed");
    const longer = await bao.call("PUT", "sys/leases/renew", { lease_id: lease.id, increment: 120 });
    expect(longer.body.lease_duration).toBe(120);
    const renewed = await scope.renew({ ...lease, duration: 120_000 }, request());
    expect(renewed.expiresAt - Date.now()).toBeGreaterThan(110_000);
    expect((await bao.call("PUT", "sys/leases/renew", { lease_id: lease.id })).body.lease_duration).toBe(20);
    await scope.end([lease], request());
  });

  test("near the maximum a renewal gives less than was asked for, which is noticed", async () => {
    await makeRole(bao, "capped", { default_ttl: "4s", max_ttl: "5s" });
    const { scope } = await scopeOf(await team().open());
    const { lease } = await credentialOf(scope, "capped");
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const asked = Date.now();
    const renewed = await scope.renew(lease, request());
    expect(stoppedGrowing(lease.duration, renewed.expiresAt - asked)).toBe(true);
    await scope.end([lease], request());
  });

  test("the token's own life is prolonged to what it was, up to the end that was set", async () => {
    const { scope } = await scopeOf(await team({ ttl: "30s", maxTtl: "2h" }).open());
    const before = scope.credential;
    const after = await scope.extend(request());
    expect(after?.id).toBe(before?.id);
    expect(after?.expiresAt).toBeGreaterThanOrEqual(before?.expiresAt ?? Infinity);
    expect((after?.endsAt ?? 0) - Date.now()).toBeGreaterThan(7_000_000);
    await scope.end([], request());
  });

  test("a lease dies with its token, unannounced: a renewal says that it is gone", async () => {
    await makeRole(bao, "orphaned");
    const { scope } = await scopeOf(await team().open());
    const { lease, ...login } = await credentialOf(scope, "orphaned");
    await bao.call("POST", "auth/token/revoke-accessor", { accessor: scope.credential?.id });
    await expect.poll(() => logsIn(postgres, login)).toBe(false);
    expect(["refused", "store-denied"]).toContain((await failureOf(() => scope.renew(lease, request()))).code);
    expect(await scope.end([lease], request())).toMatchObject({ credentials: [] });
  });
});

describe("what cannot be given back", () => {
  test("a role that owns objects cannot be dropped: its lease is named, its token is gone, and reaping ends it later", async () => {
    await query(postgres, "create schema if not exists shared; grant create, usage on schema shared to public");
    await makeRole(bao, "owner");
    const provider = await team().open();
    const { scope, launch } = await scopeOf(provider);
    const { lease, ...login } = await credentialOf(scope, "owner");
    await query(postgres, "create table shared.mine (x int)", login);
    const remains = await scope.end([lease], request());
    expect(remains).toEqual({ leases: [lease.id], credentials: [] });
    expect(await tokensOf(bao, launch.id)).toEqual([]);
    expect(await provider.reap?.(remains, request())).toEqual(remains);
    await query(postgres, "drop table shared.mine");
    expect(await provider.reap?.(remains, request())).toEqual({ leases: [], credentials: [] });
    expect(await logsIn(postgres, login)).toBe(false);
  });

  test("while the database is down a token's end revokes nothing: the lease stays in what is left", async () => {
    const other = await startPostgres("second");
    if (other === undefined) throw new Error("no PostgreSQL");
    await bao.call("POST", "database/config/down", {
      plugin_name: "postgresql-database-plugin",
      allowed_roles: ["*"],
      connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${other.port}/postgres?sslmode=disable`,
      username: other.user,
      password: other.password,
    });
    await makeRole(bao, "down", { db_name: "down" });
    const { scope } = await scopeOf(await team().open());
    const { lease } = await credentialOf(scope, "down");
    await other[Symbol.asyncDispose]();
    expect(await scope.end([lease], request(5_000))).toEqual({ leases: [lease.id], credentials: [] });
    expect(await leasesOf(bao, "down")).toEqual([lease.id]);
  });

  test("what a killed launch has left is ended by accessor; what is gone already is no error", async () => {
    await makeRole(bao, "killed");
    const provider = await team().open();
    const { scope, launch } = await scopeOf(provider);
    const { lease, ...login } = await credentialOf(scope, "killed");
    const remains = { leases: [lease.id], credentials: [scope.credential?.id ?? ""] };
    const gone = { leases: [], credentials: [] };
    expect(await provider.reap?.(remains, request())).toEqual(gone);
    expect([await logsIn(postgres, login), await tokensOf(bao, launch.id)]).toEqual([false, []]);
    expect(await provider.reap?.(remains, request())).toEqual(gone);
    const unknown = { leases: ["database/creds/killed/unknown"], credentials: ["unknown-accessor"] };
    expect(await provider.reap?.(unknown, request())).toEqual(gone);
  });

  test("a vault that is gone leaves everything, and throws nothing", async () => {
    const own = await startOpenBao();
    await own.call("POST", "sys/policies/acl/mcp-github", { policy: POLICY });
    const provider = await rootStore(own, { mounts: MOUNTS, launch: {} }).open();
    const { scope } = await scopeOf(provider);
    const lease: Lease = { id: "a/b", ref: { store: "team", path: "x" }, expiresAt: 0, duration: 0, renewable: false };
    await own[Symbol.asyncDispose]();
    const remains = { leases: ["a/b"], credentials: [scope.credential?.id] };
    expect(await scope.end([lease], request(1_000))).toEqual(remains);
    expect(await provider.reap?.(remains as never, request(1_000))).toEqual(remains);
  });
});

describe("other engines", () => {
  test("pki, totp and ssh give fields; a lease where the engine keeps one", async () => {
    await bao.call("POST", "sys/mounts/pki", { type: "pki" });
    await bao.call("POST", "pki/root/generate/internal", { common_name: "test", ttl: "1h" });
    const role = { allowed_domains: "example.com", allow_subdomains: true, max_ttl: "30m", generate_lease: true };
    await bao.call("POST", "pki/roles/web", role);
    await bao.call("POST", "sys/mounts/totp", { type: "totp" });
    await bao.call("POST", "totp/keys/me", { url: "otpauth://totp/a:b?secret=JBSWY3DPEHPK3PXP&issuer=a" });
    await bao.call("POST", "sys/mounts/ssh", { type: "ssh" });
    await bao.call("POST", "ssh/roles/otp", { key_type: "otp", default_user: "me", cidr_list: "127.0.0.0/8" });
    const mounts = {
      pki: { type: "engine", path: "pki/issue", parameters: { common_name: "a.example.com", ttl: "60s" } },
      totp: { type: "engine", path: "totp/code" },
      ssh: { type: "engine", path: "ssh/creds", parameters: { ip: "127.0.0.1" } },
    };
    const { scope } = await scopeOf(await rootStore(bao, { mounts }).open());
    const read = async (text: string) => (await scope.resolve([parseRef(text)], request()))[0];
    const certificate = await read("mcp-secret://team/pki/web#private_key");
    expect(certificate?.value.expose()).toContain("PRIVATE KEY");
    expect(certificate?.lease).toMatchObject({ renewable: false, id: expect.stringContaining("pki/issue/web/") });
    expect((await read("mcp-secret://team/totp/me#code"))?.value.expose()).toMatch(/^\d{6}$/);
    const otp = await read("mcp-secret://team/ssh/otp#key");
    expect(otp?.value.expose()).toMatch(/^[0-9a-f-]{36}$/);
    await scope.end(
      [certificate?.lease, otp?.lease].filter((lease) => lease !== undefined),
      request(),
    );
  });

  // Real engines of a real OpenBao; what they would give orders to is played by its API.
  test("rabbitmq and kubernetes give credentials with a lease, which are gone with it", async () => {
    await using broker = await startFake((_, response) => json(response, 200, {}));
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const [iat, exp] = [0, 600].map((seconds) => Math.floor(Date.now() / 1000) + seconds);
    const jwt = `${part({ alg: "RS256" })}.${part({ iat, exp })}.${part("signed")}`;
    await using cluster = await startFake((_, response) => json(response, 201, { status: { token: jwt } }));
    await bao.call("POST", "sys/mounts/rabbitmq", { type: "rabbitmq" });
    const connection = { connection_uri: broker.address, username: "admin", password: "admin" };
    await bao.call("POST", "rabbitmq/config/connection", { ...connection, verify_connection: false });
    const vhosts = JSON.stringify({ "/": { configure: "", write: ".*", read: ".*" } });
    await bao.call("POST", "rabbitmq/roles/queue", { vhosts });
    await bao.call("POST", "sys/mounts/kubernetes", { type: "kubernetes" });
    const host = { kubernetes_host: cluster.address, disable_local_ca_jwt: true };
    await bao.call("POST", "kubernetes/config", { ...host, service_account_jwt: "of.the.broker" });
    const role = { allowed_kubernetes_namespaces: ["default"], service_account_name: "mcp" };
    await bao.call("POST", "kubernetes/roles/mcp", role);
    const mounts = {
      mq: { type: "engine", path: "rabbitmq/creds" },
      k8s: { type: "engine", path: "kubernetes/creds", parameters: { kubernetes_namespace: "default" } },
    };
    const { scope } = await scopeOf(await rootStore(bao, { mounts }).open());
    const refs = ["mq/queue#username", "mq/queue#password", "k8s/mcp#service_account_token"];
    const got = await scope.resolve(
      refs.map((ref) => parseRef(`mcp-secret://team/${ref}`)),
      request(),
    );
    const [user, password, token] = got.map(({ value }) => value.expose());
    expect(token).toBe(jwt);
    const made = broker.seen.find(({ method, path }) => method === "PUT" && path === `/api/users/${user}`);
    expect(JSON.parse(made?.body ?? "{}").password).toBe(password);
    const leases = [...new Map(got.map(({ lease }) => [lease?.id, lease])).values()].filter(
      (lease) => lease !== undefined,
    );
    expect(leases.map(({ id }) => id.split("/").slice(0, 3).join("/"))).toEqual([
      "rabbitmq/creds/queue",
      "kubernetes/creds/mcp",
    ]);
    expect(await scope.end(leases, request())).toMatchObject({ leases: [] });
    expect(broker.seen.at(-1)).toMatchObject({ method: "DELETE", path: `/api/users/${user}` });
  });
});
