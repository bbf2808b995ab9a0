import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nameInVault } from "../../../providers/vault/names.ts";
import { rightsFor, rightsText } from "../../../providers/vault/policy.ts";
import { parseVaultSettings } from "../../../providers/vault/settings.ts";
import type { LaunchScope } from "../../../src/core/provider.ts";
import { parseRef, type SecretRef } from "../../../src/core/ref.ts";
import { type OpenBao, startOpenBao } from "../../servers/openbao.ts";
import { type Postgres, startPostgres } from "../../servers/postgres.ts";
import { logsIn } from "../../servers/postgres-client.ts";
import { connectDatabase, leasesOf, makeRole, tokensOf } from "./database.ts";
import { failureOf, memoryJournal, request } from "../parts.ts";
import { testStore } from "./store.ts";

const SETTINGS = {
  addresses: "https://vault.example:8200",
  mounts: {
    kv: { path: "secret" },
    old: { path: "kv1", version: 1 },
    db: { type: "engine", path: "database/creds" },
    pki: { type: "engine", path: "pki/issue", parameters: { common_name: "a.example.com" } },
  },
  launch: { role: "mcp-{server}" },
};
const refs = (...texts: string[]): SecretRef[] => texts.map((text) => parseRef(`mcp-secret://team/${text}`));

describe("the text", () => {
  const settings = parseVaultSettings("team", SETTINGS);

  test("names each path once, with what is done there and no more", () => {
    const wanted = refs(
      "kv/github/token",
      "kv/github/token#other",
      "old/x",
      "db/readonly#username",
      "db/readonly#password",
      "pki/web#key",
    );
    const rights = rightsFor("team", settings, "github", wanted);
    expect(rightsText("team", "github", rights)).toMatchInlineSnapshot(`
      "# What a launch of github may do, and nothing else.
      # bao policy write mcp-github FILE
      path "database/creds/readonly" {
        capabilities = ["read"]
      }

      path "secret/data/github/token" {
        capabilities = ["read"]
      }

      path "kv1/x" {
        capabilities = ["read"]
      }

      path "pki/issue/web" {
        capabilities = ["update"]
      }

      path "sys/leases/renew/database/creds/readonly/*" {
        capabilities = ["update"]
      }

      path "sys/leases/revoke/database/creds/readonly/*" {
        capabilities = ["update"]
      }

      path "sys/leases/renew/pki/issue/web/*" {
        capabilities = ["update"]
      }

      path "sys/leases/revoke/pki/issue/web/*" {
        capabilities = ["update"]
      }

      path "auth/token/renew-self" {
        capabilities = ["update"]
      }

      path "auth/token/revoke-self" {
        capabilities = ["update"]
      }

      # The tokens that the login of store team may make for it.
      # bao write auth/token/roles/mcp-github \\
      #   allowed_policies=mcp-github \\
      #   orphan=true \\
      #   renewable=true \\
      #   token_type=service \\
      #   token_no_default_policy=true \\
      #   token_explicit_max_ttl=86400s

      # What the login of store team needs for it, beside its own way in.
      # bao policy write mcp-github-login FILE
      path "auth/token/create/mcp-github" {
        capabilities = ["update"]
      }

      path "auth/token/lookup-self" {
        capabilities = ["read"]
      }

      path "auth/token/renew-self" {
        capabilities = ["update"]
      }

      path "auth/token/revoke-accessor" {
        capabilities = ["update"]
      }

      path "sys/capabilities-self" {
        capabilities = ["update"]
      }

      path "sys/leases/revoke/database/creds/readonly/*" {
        capabilities = ["update"]
      }

      path "sys/leases/revoke/pki/issue/web/*" {
        capabilities = ["update"]
      }
      "
    `);
  });

  test("a reference without a mount is an error and no policy", () => {
    expect(() => rightsFor("team", settings, "github", refs("nowhere/x"))).toThrow("has no mount for nowhere/x");
  });

  test("two servers never share a name, for Vault folds the case of policies", () => {
    const names = ["github", "GitHub", "git hub", "git-hub", "git/hub", "gitéhub"].map(nameInVault);
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
    expect(names.every((name) => /^[a-z0-9._-]+$/.test(name))).toBe(true);
    expect(names[0]).toBe("github");
  });
});

describe("on the real server", () => {
  let bao: OpenBao;
  let postgres: Postgres;
  const settings = { ...SETTINGS, launch: { role: "mcp-{server}" } };
  const wanted = refs("kv/github/token", "db/readonly#username", "db/readonly#password");

  beforeAll(async () => {
    bao = await startOpenBao();
    const started = await startPostgres("superuser-password");
    if (started === undefined) throw new Error("no PostgreSQL here, and none can be installed");
    postgres = started;
    await connectDatabase(bao, postgres);
    await makeRole(bao, "readonly");
    await makeRole(bao, "admin");
    for (const server of ["github", "slack"])
      await bao.call("POST", `secret/data/${server}/token`, { data: { value: server } });
    const rights = rightsFor("team", parseVaultSettings("team", settings), "github", wanted);
    for (const { name, text } of [rights.server, rights.login]) {
      await bao.call("POST", `sys/policies/acl/${name}`, { policy: text });
    }
    await bao.call("POST", `auth/token/roles/${rights.role?.name}`, rights.role?.parameters);
    await bao.call("POST", "sys/auth/approle", { type: "approle" });
    const role = { token_policies: rights.login.name, token_ttl: "20m", token_no_default_policy: true };
    await bao.call("POST", "auth/approle/role/mcp", role);
  });
  afterAll(async () => {
    await bao?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
  });

  async function launch(server: string) {
    const { body } = await bao.call("GET", "auth/approle/role/mcp/role-id");
    const auth = { method: "approle", roleId: body.data.role_id, secretIdFile: "~/secret-id" };
    const store = testStore({ settings: { ...settings, addresses: bao.address, auth } });
    store.file("secret-id", (await bao.call("POST", "auth/approle/role/mcp/secret-id", {})).body.data.secret_id);
    const provider = await store.open();
    const identity = { id: `launch-${server}-${Math.random()}`, entry: `cursor/${server}` };
    return { provider, identity, open: () => provider.scope(identity, request(), memoryJournal()) };
  }

  async function read(scope: LaunchScope, ...texts: string[]) {
    return scope.resolve(refs(...texts), request());
  }

  test("the server's launch reads, renews and gives back with it", async () => {
    const { identity, open } = await launch("github");
    const scope = await open();
    const [token, user, password] = await read(
      scope,
      "kv/github/token",
      "db/readonly#username",
      "db/readonly#password",
    );
    expect(token?.value.expose()).toBe("github");
    const login = { user: user?.value.expose() ?? "", password: password?.value.expose() ?? "" };
    const lease = user?.lease;
    if (lease === undefined) throw new Error("no lease");
    expect(await logsIn(postgres, login)).toBe(true);
    expect((await scope.renew(lease, request())).expiresAt).toBeGreaterThanOrEqual(lease.expiresAt);
    expect((await scope.extend(request()))?.id).toBe(scope.credential?.id);
    expect(await scope.end([lease], request())).toEqual({ leases: [], credentials: [] });
    expect([await logsIn(postgres, login), await leasesOf(bao, "readonly"), await tokensOf(bao, identity.id)]).toEqual([
      false,
      [],
      [],
    ]);
  });

  test("another server's secret, another role, and another's lease are refused", async () => {
    const { open } = await launch("github");
    const scope = await open();
    for (const other of ["kv/slack/token", "db/admin#username", "kv/github"]) {
      expect((await failureOf(() => read(scope, other))).code).toBe("store-denied");
    }
    const { body } = await bao.call("GET", "database/creds/admin");
    const foreign = {
      id: body.lease_id,
      ref: { store: "team", path: "db/admin" },
      expiresAt: 0,
      duration: 60_000,
      renewable: true,
    };
    expect((await failureOf(() => scope.renew(foreign, request()))).code).toBe("store-denied");
    await scope.end([foreign], request());
    expect(await leasesOf(bao, "admin")).toEqual([body.lease_id]);
  });

  test("the login makes tokens for no other server, and reads nothing itself", async () => {
    const { open } = await launch("slack");
    expect(await failureOf(open)).toMatchObject({
      code: "store-denied",
      hint: "mcp-secrets store policy --store team --server slack",
    });
    const { provider } = await launch("github");
    expect((await failureOf(() => provider.resolve(refs("kv/github/token"), request()))).code).toBe("store-denied");
  });

  test("what a killed launch has left is ended with the login's rights", async () => {
    const { provider, identity, open } = await launch("github");
    const scope = await open();
    const [user] = await read(scope, "db/readonly#username");
    const remains = { leases: [user?.lease?.id ?? ""], credentials: [scope.credential?.id ?? ""] };
    expect(await provider.reap(remains, request())).toEqual({ leases: [], credentials: [] });
    expect([await leasesOf(bao, "readonly"), await tokensOf(bao, identity.id)]).toEqual([[], []]);
  });
});
