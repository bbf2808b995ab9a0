import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseRef } from "../../../src/core/ref.ts";
import { filesUnder, findCanaries } from "../../helpers/canary.ts";
import { json, type Reaction, startFake } from "../../servers/fake-vault.ts";
import { type OpenBao, startOpenBao } from "../../servers/openbao.ts";
import { failureOf, memoryJournal, request } from "../parts.ts";
import { memoryOf, rootStore, type StoreSetup, type TestStore } from "./store.ts";

const VALUE = "stale-canary-value-1";
const REF = "mcp-secret://team/kv/app";
const POLICY = `path "secret/data/*" { capabilities = ["read"] }
path "auth/token/revoke-self" { capabilities = ["update"] }`;
const ALLOWED = { stale: "allow", launch: {} };

let bao: OpenBao;
beforeAll(async () => {
  bao = await startOpenBao();
  for (const server of ["github", "slack"]) {
    await bao.call("POST", `sys/policies/acl/mcp-${server}`, { policy: POLICY });
  }
});
afterAll(() => bao?.[Symbol.asyncDispose]());

/** What a launch is given, as `run` asks for it: it says first what it will read. */
async function launch(store: TestStore, { server = "github", refs = [REF] } = {}) {
  const provider = await store.open();
  const wanted = refs.map(parseRef);
  const identity = { id: `stale-${Math.random()}`, entry: `cursor/${server}` };
  const scope = await provider.scope(identity, { ...request(), refs: wanted }, memoryJournal());
  try {
    const secrets = await scope.resolve(wanted, request());
    return secrets.map(({ value, version, staleSince }) => [value.expose(), version, staleSince !== undefined]);
  } finally {
    expect(await scope.end([], request())).toEqual({ leases: [], credentials: [] });
    // What launches share for two seconds is not what is looked at here.
    rmSync(memoryOf(store.home), { recursive: true, force: true });
  }
}

const copiesOf = (store: TestStore) => filesUnder(join(store.home, "vault/team/copies"));

const answers: Reaction = (_, to) => json(to, 200, { data: { data: { value: VALUE }, metadata: { version: 4 } } });

/** A store whose vault gave the secret once, and since then reacts as told. */
async function storeAfter(react: Reaction, settings: StoreSetup["settings"] = {}): Promise<TestStore> {
  let current = answers;
  const server = await startFake((seen, to, number) => current(seen, to, number));
  onTestFinished(() => server[Symbol.asyncDispose]());
  const store = rootStore(bao, { addresses: server.address, stale: "allow", ...settings });
  expect(await launch(store)).toEqual([[VALUE, 4, false]]);
  current = react;
  return store;
}

describe("while the vault does not answer", () => {
  const outages: [string, Reaction][] = [
    ["a fault of the server", (_, to) => json(to, 500, { errors: ["boom"] })],
    ["a bad gateway", (_, to) => json(to, 502, { errors: [] })],
    ["a sealed vault", (_, to) => json(to, 503, { errors: ["Vault is sealed"] })],
    ["a closed connection", (_, to) => to.destroy()],
    ["a hang", () => {}],
  ];

  // Without a copy this takes ten seconds.
  test.each(outages)(
    "%s: the copy is used, and says so, while the client still waits",
    { timeout: 9_000 },
    async (_, react) => {
      const store = await storeAfter(react);
      expect(await launch(store)).toEqual([[VALUE, 4, true]]);
    },
  );

  test("a real vault that is gone: login, token and read all fail, and the copy is used", async () => {
    const own = await startOpenBao();
    await own.call("POST", "sys/policies/acl/mcp-github", { policy: POLICY });
    await own.call("POST", "secret/data/app", { data: { value: VALUE, user: "u" } });
    const store = rootStore(own, ALLOWED);
    const refs = [REF, `${REF}#user`];
    expect(await launch(store, { refs })).toEqual([
      [VALUE, 1, false],
      ["u", 1, false],
    ]);
    await own[Symbol.asyncDispose]();
    expect(await launch(store, { refs })).toEqual([
      [VALUE, 1, true],
      ["u", 1, true],
    ]);
    expect((await failureOf(() => launch(store, { refs: [`${REF}#none`] }))).code).toBe("secret-not-found");
  });

  test.each<[string, string, Reaction]>([
    ["a busy vault", "store-busy", (_, to) => json(to, 429, { errors: [] })],
    [
      "something else than a vault",
      "store-answer",
      (_, to) => to.writeHead(200, { "content-type": "text/html" }).end("x"),
    ],
    ["a redirect", "store-untrusted", (_, to) => json(to, 307, undefined, { location: "http://127.0.0.1:1/" })],
  ])("%s is no outage", async (_, code, react) => {
    const store = await storeAfter(react);
    expect((await failureOf(() => launch(store))).code).toBe(code);
  });

  test("nothing is used that the user did not allow: not by default, not for a secret that is excepted, not for another", async () => {
    const down: Reaction = (_, to) => json(to, 500, { errors: ["boom"] });
    for (const settings of [
      { stale: "never" },
      { secrets: { "kv/app": { stale: "never" } } },
      { stale: "never", secrets: { "kv/other": { stale: "allow" } } },
    ]) {
      const store = await storeAfter(down, settings);
      expect(copiesOf(store)).toEqual([]);
      const provider = await store.open();
      const short = { deadline: Date.now() + 300, refs: [parseRef(REF)] };
      const scope = await provider.scope({ id: "x", entry: "cursor/github" }, short, memoryJournal());
      expect((await failureOf(() => scope.resolve([parseRef(REF)], short) as Promise<unknown>)).code).toBe(
        "store-unavailable",
      );
    }
    const one = await storeAfter(down, { stale: "never", secrets: { "kv/app": { stale: "allow" } } });
    expect(await launch(one)).toEqual([[VALUE, 4, true]]);
  });

  test("a copy that is too old is not used, and is taken away", async () => {
    const down: Reaction = (_, to) => json(to, 500, { errors: ["boom"] });
    const store = await storeAfter(down, { secrets: { "kv/app": { maxStale: "1s" } } });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    // Also where somebody sets the file's time: what counts is inside.
    for (const file of copiesOf(store)) utimesSync(file, new Date(), new Date());
    expect((await failureOf(() => launch(store))).code).toBe("store-unavailable");
    expect(copiesOf(store)).toEqual([]);
  });

  test("one server's copy is not another's", async () => {
    const own = await startOpenBao();
    for (const name of ["mcp-github", "mcp-slack"])
      await own.call("POST", `sys/policies/acl/${name}`, { policy: POLICY });
    await own.call("POST", "secret/data/app", { data: { value: VALUE } });
    const store = rootStore(own, ALLOWED);
    await launch(store, { server: "github" });
    await own[Symbol.asyncDispose]();
    expect(await launch(store, { server: "github" })).toEqual([[VALUE, 1, true]]);
    const provider = await store.open();
    const short = { deadline: Date.now() + 500, refs: [parseRef(REF)] };
    const refused = () => provider.scope({ id: "x", entry: "cursor/slack" }, short, memoryJournal());
    expect((await failureOf(refused)).code).toBe("store-unavailable");
  });

  test("a launch that also needs a credential of an engine fails: of those there is no copy", async () => {
    const mounts = { kv: { path: "secret" }, db: { type: "engine", path: "database/creds" } };
    const down: Reaction = (_, to) => json(to, 500, { errors: ["boom"] });
    const store = await storeAfter(down, { mounts });
    const provider = await store.open();
    const refs = [REF, "mcp-secret://team/db/readonly#password"].map(parseRef);
    const short = { deadline: Date.now() + 500, refs };
    const scope = await provider.scope({ id: "x", entry: "cursor/github" }, short, memoryJournal());
    expect((await failureOf(() => scope.resolve(refs, short) as Promise<unknown>)).code).toBe("store-unavailable");
  });
});

describe("an answer that says no", () => {
  test.each([401, 403, 404])("%i ends the launch and drops the copy", async (status) => {
    const store = await storeAfter((_, to) => json(to, status, { errors: ["no"] }));
    expect(copiesOf(store)).toHaveLength(1);
    await failureOf(() => launch(store));
    expect(copiesOf(store)).toEqual([]);
  });

  test("a deleted secret, a policy that is gone, a login that is refused, on the real server", async () => {
    await bao.call("POST", "secret/data/app", { data: { value: VALUE } });
    const store = rootStore(bao, ALLOWED);
    const fresh = async () => {
      await launch(store);
      expect(copiesOf(store)).toHaveLength(1);
    };
    await fresh();
    await bao.call("DELETE", "secret/data/app");
    expect((await failureOf(() => launch(store))).code).toBe("secret-deleted");
    expect(copiesOf(store)).toEqual([]);
    await bao.call("POST", "secret/data/app", { data: { value: VALUE } });
    await fresh();
    await bao.call("DELETE", "sys/policies/acl/mcp-github");
    expect((await failureOf(() => launch(store))).code).toBe("store-denied");
    expect(copiesOf(store)).toEqual([]);
    await bao.call("POST", "sys/policies/acl/mcp-github", { policy: POLICY });
    await fresh();
    store.file(".vault-token", "hvs.revoked");
    expect((await failureOf(() => launch(store))).code).toBe("store-denied");
    expect(copiesOf(store)).toEqual([]);
  });

  test("a refused approle login drops every copy of the store", async () => {
    await bao.call("POST", "sys/auth/approle", { type: "approle" });
    await bao.call("POST", "sys/policies/acl/reader", { policy: 'path "secret/data/*" { capabilities = ["read"] }' });
    await bao.call("POST", "auth/approle/role/stale", { token_policies: "reader", token_ttl: "1h" });
    await bao.call("POST", "secret/data/app", { data: { value: VALUE } });
    const { body } = await bao.call("GET", "auth/approle/role/stale/role-id");
    const auth = { method: "approle", roleId: body.data.role_id, secretIdFile: "~/secret-id" };
    const store = rootStore(bao, { stale: "allow", auth });
    const { body: made } = await bao.call("POST", "auth/approle/role/stale/secret-id", {});
    store.file("secret-id", made.data.secret_id);
    await launch(store);
    expect(copiesOf(store)).toHaveLength(1);
    await bao.call("POST", "auth/approle/role/stale/secret-id/destroy", { secret_id: made.data.secret_id });
    rmSync(join(store.home, "vault/team/token"));
    expect((await failureOf(() => launch(store))).code).toBe("store-login");
    expect(copiesOf(store)).toEqual([]);
  });

  test("a login that was ended behind our back is done anew, also where launches read with it", async () => {
    await bao.call("POST", "auth/approle/role/again", { token_policies: "reader", token_ttl: "1h" });
    const { body } = await bao.call("GET", "auth/approle/role/again/role-id");
    const auth = { method: "approle", roleId: body.data.role_id, secretIdFile: "~/secret-id" };
    const store = rootStore(bao, { auth });
    store.file("secret-id", (await bao.call("POST", "auth/approle/role/again/secret-id", {})).body.data.secret_id);
    await launch(store);
    const { token } = JSON.parse(String(store.options.files.read(join(store.home, "vault/team/token"))));
    await bao.call("POST", "auth/token/revoke", { token });
    expect(await launch(store)).toEqual([[VALUE, expect.any(Number), false]]);
  });
});

describe("a copy", () => {
  test("is private, encrypted, and gone when it is no longer allowed; damage is no copy", async () => {
    const store = await storeAfter((_, to) => json(to, 500, { errors: ["boom"] }));
    const [file = ""] = copiesOf(store);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(findCanaries([store.home], [VALUE])).toEqual([]);
    expect(String(store.options.files.read(file))).toContain("age-encryption.org");
    writeFileSync(file, "damaged");
    expect((await failureOf(() => launch(store))).code).toBe("store-unavailable");
    const other = await storeAfter(answers);
    expect(copiesOf(other)).toHaveLength(1);
    Object.assign(other.options, { settings: { ...(other.options.settings as object), stale: "never" } });
    await launch(other);
    expect(copiesOf(other)).toEqual([]);
  });

  test("cannot be kept without a key: the launch has its answer all the same", async () => {
    const server = await startFake(answers);
    onTestFinished(() => server[Symbol.asyncDispose]());
    const store = rootStore(bao, { addresses: server.address, stale: "allow" });
    store.file("local/identity", "not a key");
    expect(await launch(store)).toEqual([[VALUE, 4, false]]);
    expect(copiesOf(store)).toEqual([]);
  });
});
