import { afterAll, beforeAll, expect, test } from "vitest";
import { type OpenBao, startOpenBao, startSealed } from "../../servers/openbao.ts";
import { failureOf, request, valuesOf } from "../parts.ts";
import { rootStore, testStore } from "./store.ts";

let bao: OpenBao;
beforeAll(async () => {
  bao = await startOpenBao();
});
afterAll(() => bao[Symbol.asyncDispose]());

test("with every right all is well", async () => {
  const provider = await rootStore(bao, { launch: {} }).open();
  const findings = await provider.check(request());
  expect(findings.map(({ ok, what }) => `${ok} ${what}`)).toEqual([
    "true logged in (token); the login does not end",
    "true mount kv (secret) is kv version 2",
    "true may create, read, update secret/data/mcp-secrets-check",
    "true may read, list secret/metadata/mcp-secrets-check",
    "true may update auth/token/create",
    "true may update auth/token/revoke-accessor",
  ]);
});

test("what is missing comes with the policy that would grant it, and with it nothing is missing", async () => {
  const base =
    'path "sys/capabilities-self" { capabilities = ["update"] }\npath "auth/token/lookup-self" { capabilities = ["read"] }';
  await bao.call("POST", "sys/policies/acl/little", {
    policy: `${base}\npath "secret/data/*" { capabilities = ["read"] }`,
  });
  const { body } = await bao.call("POST", "auth/token/create", {
    policies: ["little"],
    no_default_policy: true,
    ttl: "1h",
  });
  const store = rootStore(bao, { launch: {} });
  store.file(".vault-token", body.auth.client_token);
  const provider = await store.open();
  const missing = (await provider.check(request())).filter(({ ok }) => !ok);
  expect(missing.map(({ what }) => what)).toEqual([
    "may not create, update secret/data/mcp-secrets-check",
    "may not read, list secret/metadata/mcp-secrets-check",
    "may not update auth/token/create",
    "may not update auth/token/revoke-accessor",
  ]);
  const granted = missing.map(({ remedy }) => remedy).join("\n");
  await bao.call("POST", "sys/policies/acl/little", { policy: `${base}\n${granted}` });
  expect((await provider.check(request())).filter(({ ok }) => !ok)).toEqual([]);
});

test("a mount that is not there, or of the other version", async () => {
  await bao.call("POST", "sys/mounts/one", { type: "kv", options: { version: "1" } });
  const mounts = { kv: { path: "nowhere" }, old: { path: "one" } };
  const provider = await rootStore(bao, { mounts }).open();
  const [, nowhere, old] = await provider.check(request());
  expect([nowhere?.ok, nowhere?.what]).toEqual([false, expect.stringContaining("mount kv (nowhere): store team:")]);
  expect(old).toEqual({
    ok: false,
    what: "mount old (one) is kv version 1",
    remedy: "set mounts.old of the store to what is there",
  });
});

test("a credential that was refused is tried again, for the user asks for it", async () => {
  await bao.call("POST", "sys/auth/userpass", { type: "userpass" });
  const auth = { method: "userpass", user: "late", passwordFile: "~/password" };
  const store = testStore({ settings: { addresses: bao.address, launch: "none", auth } });
  store.file("password", "right");
  const provider = await store.open();
  expect((await failureOf(() => valuesOf(provider, "mcp-secret://team/kv/x"))).code).toBe("store-login");
  await bao.call("POST", "auth/userpass/users/late", { password: "right", token_policies: "default" });
  expect((await failureOf(() => valuesOf(provider, "mcp-secret://team/kv/x"))).message).toContain("not tried again");
  expect((await provider.check(request()))[0]).toMatchObject({ ok: true });
});

test("a sealed server, and one that is not there", async () => {
  const sealed = await startSealed();
  const provider = await rootStore(sealed).open();
  expect(await provider.check(request())).toMatchObject([{ ok: false, remedy: "unseal it, then start again" }]);
  expect((await failureOf(() => valuesOf(provider, "mcp-secret://team/kv/x"))).code).toBe("store-sealed");
  await sealed.unseal();
  // It answers now; our token is not one of its own.
  expect(await provider.check(request())).toMatchObject([{ ok: false, what: expect.stringContaining("403") }]);
  await sealed[Symbol.asyncDispose]();
  expect((await provider.check(request(500))).map(({ ok }) => ok)).toContain(false);
});
