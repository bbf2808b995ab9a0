import { createSign, generateKeyPairSync } from "node:crypto";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { selfSigned } from "../../servers/certificate.ts";
import { json, startFake } from "../../servers/fake-vault.ts";
import { auditEntries, type OpenBao, ROOT_TOKEN, startOpenBao } from "../../servers/openbao.ts";
import { failureOf, valuesOf } from "../parts.ts";
import { testStore, type TestStore } from "./store.ts";

const REF = "mcp-secret://team/kv/login";
let bao: OpenBao;

beforeAll(async () => {
  bao = await startOpenBao();
  await bao.call("POST", "secret/data/login", { data: { value: "v" } });
  await bao.call("POST", "sys/policies/acl/reader", { policy: 'path "secret/data/login" { capabilities = ["read"] }' });
  for (const type of ["approle", "jwt", "kubernetes", "userpass"]) await bao.call("POST", `sys/auth/${type}`, { type });
});
afterAll(() => bao[Symbol.asyncDispose]());

function storeWith(auth: Readonly<Record<string, unknown>>, options = {}): TestStore {
  return testStore({ settings: { addresses: bao.address, launch: "none", auth }, options });
}

function loginsTo(path: string): number {
  return auditEntries(bao).filter(({ type, request }) => type === "response" && request.path === path).length;
}

async function roleId(role: string, settings = {}): Promise<string> {
  await bao.call("POST", `auth/approle/role/${role}`, { token_policies: "reader", token_ttl: "1h", ...settings });
  return (await bao.call("GET", `auth/approle/role/${role}/role-id`)).body.data.role_id;
}

async function secretId(role: string): Promise<string> {
  return (await bao.call("POST", `auth/approle/role/${role}/secret-id`, {})).body.data.secret_id;
}

async function wrappedSecretId(role: string, ttl = "60s"): Promise<string> {
  const headers = { "x-vault-wrap-ttl": ttl };
  return (await bao.call("POST", `auth/approle/role/${role}/secret-id`, {}, { headers })).body.wrap_info.token;
}

describe("a token in a file", () => {
  const auth = { method: "token" };

  test("is read, with the line's end taken off", async () => {
    const store = storeWith(auth);
    store.file(".vault-token", `${ROOT_TOKEN}\n`);
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
  });

  test.each([
    ["open to other users", ROOT_TOKEN, 0o640, "chmod 600 ~/.vault-token"],
    ["empty", "", 0o600, "write the credential alone into ~/.vault-token"],
    ["of two words", "a b", 0o600, "write the credential alone into ~/.vault-token"],
  ])("that is %s is not used", async (_, text, mode, hint) => {
    const store = storeWith(auth);
    store.file(".vault-token", text, mode);
    const provider = await store.open();
    expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({ code: "store-login", hint });
  });

  test("that is missing, or unknown to the server", async () => {
    const store = storeWith(auth);
    const provider = await store.open();
    expect((await failureOf(() => valuesOf(provider, REF))).message).toBe("store team: ~/.vault-token is missing");
    store.file(".vault-token", "hvs.unknown-token");
    const failure = await failureOf(() => valuesOf(provider, REF));
    expect(failure).toMatchObject({ code: "store-denied", hint: "mcp-secrets store check team" });
    expect(failure.message).not.toContain("unknown-token");
  });
});

describe("approle", () => {
  test("logs in once for many launches at once, and keeps the token 0600", async () => {
    const id = await roleId("shared");
    const store = storeWith({ method: "approle", roleId: id, secretIdFile: "~/secret-id" });
    store.file("secret-id", await secretId("shared"));
    const before = loginsTo("auth/approle/login");
    const launches = Array.from({ length: 20 }, async () => valuesOf(await store.open(), REF));
    expect(new Set((await Promise.all(launches)).flat())).toEqual(new Set(["v"]));
    expect(loginsTo("auth/approle/login") - before).toBe(1);
    expect(statSync(join(store.home, "vault/team/token")).mode & 0o777).toBe(0o600);
  });

  test("a login that was ended behind our back is done anew", async () => {
    const id = await roleId("ended");
    const store = storeWith({ method: "approle", roleId: id, secretIdFile: "~/secret-id" });
    store.file("secret-id", await secretId("ended"));
    await valuesOf(await store.open(), REF);
    const kept = JSON.parse(readFileSync(join(store.home, "vault/team/token"), "utf8"));
    await bao.call("POST", "auth/token/revoke", { token: kept.token });
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
  });

  test("a login that is about to end is not used", async () => {
    const id = await roleId("short", { token_ttl: "5s" });
    const settings = { addresses: bao.address, launch: { minTtl: "60s" } };
    const store = testStore({
      settings: { ...settings, auth: { method: "approle", roleId: id, secretIdFile: "~/s" } },
    });
    store.file("s", await secretId("short"));
    const provider = await store.open();
    expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({
      code: "store-login",
      message: "store team: its login lives for less than a launch needs",
    });
  });

  test("a refused secret id is not tried again, so that the account is not locked; a new one is", async () => {
    const id = await roleId("refused");
    const store = storeWith({ method: "approle", roleId: id, secretIdFile: "~/secret-id" });
    store.file("secret-id", "00000000-0000-0000-0000-000000000000");
    const before = loginsTo("auth/approle/login");
    for (let launch = 0; launch < 8; launch++) {
      const provider = await store.open();
      const failure = await failureOf(() => valuesOf(provider, REF));
      expect(failure.code).toBe("store-login");
      expect(failure.message).toContain(launch === 0 ? "400 invalid role or secret ID" : "not tried again");
    }
    expect(loginsTo("auth/approle/login") - before).toBe(1);
    store.file("secret-id", await secretId("refused"));
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
  });

  test("after five failed logins the server refuses the right one too, and the message says so", async () => {
    const id = await roleId("locked");
    const good = await secretId("locked");
    for (let failure = 0; failure < 5; failure++) {
      const body = { role_id: id, secret_id: "wrong" };
      await bao.call("POST", "auth/approle/login", body, { loose: true });
    }
    const store = storeWith({ method: "approle", roleId: id, secretIdFile: "~/secret-id" });
    store.file("secret-id", good);
    const provider = await store.open();
    expect((await failureOf(() => valuesOf(provider, REF))).message).toContain("after five failed logins");
  });
});

describe("a wrapped secret id", () => {
  const settingsFor = (id: string, role: string) => ({
    method: "approle",
    roleId: id,
    secretIdFile: "~/wrapped",
    wrappedFor: role,
  });

  test("is unwrapped once, by one of many launches, and kept for the next ones", async () => {
    const store = storeWith(settingsFor(await roleId("wrap"), "wrap"));
    store.file("wrapped", await wrappedSecretId("wrap"));
    const launches = Array.from({ length: 10 }, async () => valuesOf(await store.open(), REF));
    expect(new Set((await Promise.all(launches)).flat())).toEqual(new Set(["v"]));
    rmSync(join(store.home, "vault/team/token"));
    rmSync(join(store.home, "wrapped"));
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
    expect(statSync(join(store.home, "vault/team/secret-id")).mode & 0o777).toBe(0o600);
  });

  test("that somebody used before, or that has ended, is an incident", async () => {
    const store = storeWith(settingsFor(await roleId("stolen"), "stolen"));
    const token = await wrappedSecretId("stolen");
    await bao.call("POST", "sys/wrapping/unwrap", { token });
    store.file("wrapped", token);
    const provider = await store.open();
    const failure = await failureOf(() => valuesOf(provider, REF));
    expect(failure).toMatchObject({ code: "store-incident", exit: 77 });
    expect(failure.message).toContain("incident: the wrapped secret id in ~/wrapped was used before");
    store.file("wrapped", await wrappedSecretId("stolen", "1s"));
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect((await failureOf(() => valuesOf(provider, REF))).code).toBe("store-incident");
    const revoked = await wrappedSecretId("stolen");
    await bao.call("POST", "auth/token/revoke", { token: revoked });
    store.file("wrapped", revoked);
    expect((await failureOf(() => valuesOf(provider, REF))).code).toBe("store-incident");
  });

  test("whose secret id was destroyed after it was unwrapped is refused, and says what to deliver", async () => {
    const id = await roleId("destroyed");
    const store = storeWith(settingsFor(id, "destroyed"));
    store.file("wrapped", await wrappedSecretId("destroyed"));
    await valuesOf(await store.open(), REF);
    const { secretId: kept } = JSON.parse(readFileSync(join(store.home, "vault/team/secret-id"), "utf8"));
    await bao.call("POST", "auth/approle/role/destroyed/secret-id/destroy", { secret_id: kept });
    rmSync(join(store.home, "vault/team/token"));
    const provider = await store.open();
    expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({
      code: "store-login",
      hint: expect.stringContaining("deliver a new secret id"),
    });
  });

  test("that was made elsewhere is an incident, and is left unused for those who look into it", async () => {
    const store = storeWith(settingsFor(await roleId("mine"), "mine"));
    await roleId("other");
    const token = await wrappedSecretId("other");
    store.file("wrapped", token);
    const provider = await store.open();
    expect((await failureOf(() => valuesOf(provider, REF))).message).toContain(
      "was made at auth/approle/role/other/secret-id",
    );
    expect((await bao.call("POST", "sys/wrapping/unwrap", { token })).status).toBe(200);
  });

  test("whose secret id was used up says so, and a new delivery is taken", async () => {
    const id = await roleId("single", { secret_id_num_uses: 1 });
    const store = storeWith(settingsFor(id, "single"));
    store.file("wrapped", await wrappedSecretId("single"));
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
    rmSync(join(store.home, "vault/team/token"));
    const provider = await store.open();
    expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({
      code: "store-login",
      hint: expect.stringContaining("deliver a new secret id"),
    });
    store.file("wrapped", await wrappedSecretId("single"));
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
  });
});

describe("jwt and kubernetes", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();

  function jwt(claims: Readonly<Record<string, unknown>>): string {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: "test", sub: "me", aud: "mcp", iat: now, nbf: now - 5, exp: now + 60, ...claims };
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${encode({ alg: "RS256", typ: "JWT" })}.${encode(all)}`;
    return `${text}.${createSign("RSA-SHA256").update(text).sign(privateKey).toString("base64url")}`;
  }

  beforeAll(async () => {
    await bao.call("POST", "auth/jwt/config", { jwt_validation_pubkeys: [pem], bound_issuer: "test" });
    await bao.call("POST", "auth/jwt/role/mcp", {
      role_type: "jwt",
      user_claim: "sub",
      bound_audiences: ["mcp"],
      token_policies: "reader",
    });
  });

  test("a JWT logs in; one for somebody else, or that has ended, does not", async () => {
    const store = storeWith({ method: "jwt", role: "mcp", jwtFile: "~/jwt" });
    store.file("jwt", jwt({ aud: "other" }), 0o644);
    const provider = await store.open();
    expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({ code: "store-login" });
    store.file("jwt", jwt({ exp: Math.floor(Date.now() / 1000) - 600, iat: 0, nbf: 0 }), 0o644);
    expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({ code: "store-login" });
    store.file("jwt", jwt({}), 0o644);
    expect(await valuesOf(provider, REF)).toEqual(["v"]);
  });

  test("a pod's service account logs in, as the cluster's API vouches for it", async () => {
    const api = await startFake((seen, response) => {
      const review = JSON.parse(seen.body);
      const user = { username: "system:serviceaccount:default:mcp", uid: "1", groups: [] };
      json(response, 201, { ...review, status: { authenticated: true, audiences: review.spec.audiences, user } });
    });
    onTestFinished(() => api[Symbol.asyncDispose]());
    await bao.call("POST", "auth/kubernetes/config", {
      kubernetes_host: api.address,
      disable_local_ca_jwt: true,
      kubernetes_ca_cert: selfSigned("api").cert,
      pem_keys: [pem],
      token_reviewer_jwt: jwt({}),
    });
    await bao.call("POST", "auth/kubernetes/role/mcp", {
      bound_service_account_names: "mcp",
      bound_service_account_namespaces: "default",
      token_policies: "reader",
    });
    const account = {
      aud: ["mcp"],
      iss: "kubernetes/serviceaccount",
      sub: "system:serviceaccount:default:mcp",
      "kubernetes.io/serviceaccount/namespace": "default",
      "kubernetes.io/serviceaccount/service-account.name": "mcp",
      "kubernetes.io/serviceaccount/service-account.uid": "1",
      "kubernetes.io/serviceaccount/secret.name": "mcp-token",
    };
    const store = storeWith({ method: "kubernetes", role: "mcp", jwtFile: "~/sa" });
    store.file("sa", jwt(account), 0o644);
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
    expect(api.seen.length).toBeGreaterThan(0);
  });
});

describe("userpass", () => {
  beforeAll(async () => {
    await bao.call("POST", "auth/userpass/users/dev", { password: "right", token_policies: "reader" });
  });

  test("with the password in a file, or in another store", async () => {
    const store = storeWith({ method: "userpass", user: "dev", passwordFile: "~/password" });
    store.file("password", "right");
    expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
    const asked: string[] = [];
    const lookUp = async (ref: { path: string }) => {
      asked.push(ref.path);
      return { value: new Secret("right"), version: 1 };
    };
    const auth = { method: "userpass", user: "dev", passwordRef: "mcp-secret://local/vault/password" };
    expect(await valuesOf(await storeWith(auth, { lookUp }).open(), REF)).toEqual(["v"]);
    expect(asked).toEqual(["vault/password"]);
  });

  test("a wrong password is refused without being told", async () => {
    const store = storeWith({ method: "userpass", user: "dev", passwordFile: "~/password" });
    store.file("password", "wrong-canary");
    const provider = await store.open();
    const failure = await failureOf(() => valuesOf(provider, REF));
    expect(failure).toMatchObject({
      code: "store-login",
      message: expect.stringContaining("invalid username or password"),
    });
    expect(JSON.stringify(failure) + String(failure.stack)).not.toContain("canary");
  });
});
