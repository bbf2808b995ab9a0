import { chmodSync, mkdirSync, rmSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseRef } from "../../../src/core/ref.ts";
import { filesUnder, findCanaries } from "../../helpers/canary.ts";
import { json, startFake } from "../../servers/fake-vault.ts";
import { auditEntries, type OpenBao, startOpenBao } from "../../servers/openbao.ts";
import { failureOf, memoryJournal, request, secrets } from "../parts.ts";
import { memoryOf, rootStore, type TestStore } from "./store.ts";

const VALUE = "shared-canary-value-1";
const POLICY = `path "secret/data/*" { capabilities = ["read"] }
path "auth/token/revoke-self" { capabilities = ["update"] }`;

let bao: OpenBao;
beforeAll(async () => {
  bao = await startOpenBao();
  for (const server of ["github", "slack"]) {
    await bao.call("POST", `sys/policies/acl/mcp-${server}`, { policy: POLICY });
  }
});
afterAll(() => bao?.[Symbol.asyncDispose]());

async function launch(store: TestStore, path: string, server = "github"): Promise<string> {
  const provider = await store.open();
  const refs = [parseRef(`mcp-secret://team/kv/${path}`)];
  const identity = { id: `shared-${Math.random()}`, entry: `cursor/${server}` };
  const scope = await provider.scope(identity, { ...request(), refs }, memoryJournal());
  try {
    const [secret] = await scope.resolve(refs, request());
    return secret?.value.expose() ?? "";
  } finally {
    await scope.end([], request());
  }
}

/** How often launches asked for a path, read or written to with a body. */
function asked(path: string): number {
  const operation = path.startsWith("secret/") ? "read" : "update";
  return auditEntries(bao).filter(
    ({ type, request: made }) => type === "request" && made.path === path && made.operation === operation,
  ).length;
}

// Where there is no memory file system every launch reads for itself.
describe.runIf(process.platform === "linux")("launches at once", () => {
  test("make a token each and one read; what they share is in memory, encrypted, and private", async () => {
    await bao.call("POST", "secret/data/crowd", { data: { value: VALUE } });
    const store = rootStore(bao, { launch: {} });
    const tokens = asked("auth/token/create");
    const values = await Promise.all(Array.from({ length: 20 }, () => launch(store, "crowd")));
    expect(new Set(values)).toEqual(new Set([VALUE]));
    expect([asked("auth/token/create") - tokens, asked("secret/data/crowd")]).toEqual([20, 1]);
    const memory = memoryOf(store.home);
    const files = filesUnder(memory);
    expect(files).toHaveLength(1);
    expect([memory, ...files].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
    expect(findCanaries([store.home, memory], [VALUE])).toEqual([]);
  });

  test("of another server, or with another login, read for themselves", async () => {
    await bao.call("POST", "secret/data/rights", { data: { value: VALUE } });
    const store = rootStore(bao, { launch: {} });
    await launch(store, "rights", "github");
    await launch(store, "rights", "slack");
    expect(asked("secret/data/rights")).toBe(2);
    const { body } = await bao.call("POST", "auth/token/create", { policies: ["root"] });
    store.file(".vault-token", body.auth.client_token);
    await launch(store, "rights", "github");
    expect(asked("secret/data/rights")).toBe(3);
    await bao.call("DELETE", "sys/policies/acl/mcp-slack");
    expect((await failureOf(() => launch(store, "other", "slack"))).code).toBe("store-denied");
  });

  test("see what this machine wrote a moment ago, and after two seconds what others wrote", async () => {
    const store = rootStore(bao, { launch: {} });
    const provider = await store.open();
    await provider.put("kv/fresh", secrets({ value: "1" }), { ifVersion: 0 });
    expect(await launch(store, "fresh")).toBe("1");
    await provider.put("kv/fresh", secrets({ value: "2" }), { ifVersion: 1 });
    expect(await launch(store, "fresh")).toBe("2");
    await bao.call("POST", "secret/data/fresh", { data: { value: "3" } });
    await expect.poll(() => launch(store, "fresh"), { timeout: 10_000 }).toBe("3");
  });

  test("wait for a read that hangs no longer than they would for their own, and fail for themselves", async () => {
    const server = await startFake((seen, to) => {
      if (seen.path.startsWith("/v1/secret/")) return;
      json(to, 200, { auth: { client_token: "t", accessor: `a${Math.random()}`, renewable: true, policies: [] } });
    });
    onTestFinished(() => server[Symbol.asyncDispose]());
    const store = rootStore(bao, { addresses: server.address });
    const provider = await store.open();
    const refs = [parseRef("mcp-secret://team/kv/hangs")];
    const one = async () => {
      const scope = await provider.scope({ id: "x", entry: "cursor/github" }, { ...request(), refs }, memoryJournal());
      return failureOf(() => scope.resolve(refs, request(1_500)));
    };
    const failures = await Promise.all(Array.from({ length: 10 }, one));
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(["store-timeout"]));
    expect(server.seen).toHaveLength(10);
  });

  test.each([
    ["open to others", 0o777],
    ["a file", undefined],
  ])("share nothing through a folder that is %s", async (_, mode) => {
    await bao.call("POST", "secret/data/foreign", { data: { value: VALUE } });
    const store = rootStore(bao, { launch: {} });
    const memory = memoryOf(store.home);
    onTestFinished(() => rmSync(memory, { recursive: true, force: true }));
    if (mode === undefined) store.options.files.append(memory, "x");
    else {
      mkdirSync(memory);
      chmodSync(memory, mode);
    }
    expect(await launch(store, "foreign")).toBe(VALUE);
    expect(filesUnder(memory)).toHaveLength(mode === undefined ? 1 : 0);
  });
});

test("where the system has no memory file system, nothing is shared and nothing written", async () => {
  await bao.call("POST", "secret/data/elsewhere", { data: { value: VALUE } });
  const store = rootStore(bao, { launch: {} });
  Object.assign(store.options, { platform: "darwin" });
  await Promise.all([launch(store, "elsewhere"), launch(store, "elsewhere")]);
  expect(asked("secret/data/elsewhere")).toBe(2);
  expect(filesUnder(memoryOf(store.home))).toEqual([]);
});

test("a token that ended before it was used is replaced: the launch does not fail", async () => {
  await bao.call("POST", "secret/data/slow", { data: { value: VALUE } });
  const store = rootStore(bao, { launch: {} });
  const provider = await store.open();
  const refs = [parseRef("mcp-secret://team/kv/slow")];
  const journal = memoryJournal();
  const scope = await provider.scope({ id: "slow", entry: "cursor/github" }, { ...request(), refs }, journal);
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  const [secret] = await scope.resolve(refs, request());
  expect(secret?.value.expose()).toBe(VALUE);
  expect(journal.events.filter((event) => event === "intent")).toHaveLength(2);
  await scope.end([], request());
});
