import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readKv, readMetadata } from "../../../providers/vault/kv.ts";
import { requireRetention, retentionOf } from "../../../providers/vault/retention.ts";
import { createClient } from "../../../providers/vault/client.ts";
import { plainWire } from "../../../providers/vault/exchange.ts";
import type { Session } from "../../../providers/vault/session.ts";
import { createTransport } from "../../../providers/vault/transport.ts";
import { Secret } from "../../../src/core/secret.ts";
import { type OpenBao, ROOT_TOKEN, startOpenBao } from "../../servers/openbao.ts";
import { failureOf, request, secrets, valuesOf } from "../parts.ts";
import { rootStore } from "./store.ts";

let bao: OpenBao;
beforeAll(async () => {
  bao = await startOpenBao();
  await bao.call("POST", "sys/mounts/old", { type: "kv", options: { version: "1" } });
});
afterAll(() => bao[Symbol.asyncDispose]());

const MOUNTS = { kv: { path: "secret" }, old: { path: "old", version: 1 } };
const kv = { path: "secret", version: 2 } as const;

function sessionOf(): Session {
  const wires = [plainWire(bao.address)];
  const transport = createTransport({ store: "team", wires, now: Date.now, chance: Math.random });
  return { store: "team", client: createClient(transport, undefined), token: new Secret(ROOT_TOKEN), now: Date.now };
}

describe("KV v2", () => {
  test("stores, reads back, and gives every field of a path from one read", async () => {
    const provider = await rootStore(bao, { mounts: MOUNTS }).open();
    const value = 'q"\\/@+=é\n$';
    expect(await provider.put("kv/app/db", secrets({ user: "app", password: value }), { ifVersion: 0 })).toBe(1);
    const before = (await bao.call("GET", "secret/metadata/app/db")).status;
    expect(before).toBe(200);
    expect(
      await valuesOf(provider, "mcp-secret://team/kv/app/db#password", "mcp-secret://team/kv/app/db#user"),
    ).toEqual([value, "app"]);
  });

  test("numbers, flags and objects come as their JSON; null is no field", async () => {
    await bao.call("POST", "secret/data/typed", { data: { port: 5432, on: true, tls: { ca: "x" }, none: null } });
    const provider = await rootStore(bao).open();
    const at = (field: string) => `mcp-secret://team/kv/typed#${field}`;
    expect(await valuesOf(provider, at("port"), at("on"), at("tls"))).toEqual(["5432", "true", '{"ca":"x"}']);
    const { code, hint } = await failureOf(() => valuesOf(provider, at("none")));
    expect([code, hint]).toEqual(["secret-not-found", "its fields are on, port, tls: name one after #"]);
  });

  test("a field called __proto__ is a field, and one that only Object has is not there", async () => {
    await bao.call("POST", "secret/data/proto", JSON.parse('{"data":{"__proto__":"a","x":"b"}}'));
    const provider = await rootStore(bao).open();
    expect(await valuesOf(provider, "mcp-secret://team/kv/proto#__proto__")).toEqual(["a"]);
    const { code } = await failureOf(() => valuesOf(provider, "mcp-secret://team/kv/proto#constructor"));
    expect(code).toBe("secret-not-found");
  });

  test("of twenty writers that saw the same version one wins", async () => {
    const provider = await rootStore(bao).open();
    await provider.put("kv/race", secrets({ value: "0" }), { ifVersion: 0 });
    const writes = Array.from({ length: 20 }, (_, number) =>
      provider.put("kv/race", secrets({ value: String(number) }), { ifVersion: 1 }),
    );
    const outcomes = await Promise.allSettled(writes);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const lost = outcomes.filter((outcome) => outcome.status === "rejected").map(({ reason }) => reason.code);
    expect(new Set(lost)).toEqual(new Set(["secret-exists"]));
  });

  test("a path whose last version was deleted can be made anew, one that is there cannot", async () => {
    const provider = await rootStore(bao).open();
    await provider.put("kv/anew", secrets({ value: "1" }), { ifVersion: 0 });
    expect((await failureOf(() => provider.put("kv/anew", secrets({ value: "2" }), { ifVersion: 0 }))).code).toBe(
      "secret-exists",
    );
    await bao.call("DELETE", "secret/data/anew");
    expect(await provider.put("kv/anew", secrets({ value: "2" }), { ifVersion: 0 })).toBe(2);
  });

  test("missing, deleted, destroyed and pruned versions are told apart", async () => {
    const provider = await rootStore(bao).open();
    await bao.call("POST", "secret/metadata/fates", { max_versions: 3 });
    for (const value of ["1", "2", "3", "4"]) await bao.call("POST", "secret/data/fates", { data: { value } });
    await bao.call("POST", "secret/delete/fates", { versions: [3] });
    await bao.call("POST", "secret/destroy/fates", { versions: [2] });
    const session = sessionOf();
    const read = (version: number) => failureOf(() => readKv(session, kv, "fates", { ...request(), version }));
    expect(await read(1)).toMatchObject({ code: "secret-not-found" });
    expect(await read(2)).toMatchObject({ code: "secret-deleted", message: expect.stringContaining("was destroyed") });
    expect(await read(3)).toMatchObject({
      code: "secret-deleted",
      message: expect.stringContaining("version 3 of secret/fates was deleted"),
      hint: "bring it back with: bao kv undelete -mount=secret -versions=3 fates",
    });
    expect((await readKv(session, kv, "fates", { ...request(), version: 4 })).version).toBe(4);
    const metadata = await readMetadata(session, kv, "fates", request());
    expect([1, 2, 3, 4].map((version) => metadata?.fate(version))).toEqual([undefined, "destroyed", "deleted", "live"]);
    await bao.call("DELETE", "secret/data/fates");
    expect((await failureOf(() => valuesOf(provider, "mcp-secret://team/kv/fates"))).code).toBe("secret-deleted");
    expect(await provider.describe("kv/fates")).toBeUndefined();
    expect((await failureOf(() => valuesOf(provider, "mcp-secret://team/kv/never"))).code).toBe("secret-not-found");
  });

  test("lists and describes without values, and removes every version", async () => {
    const provider = await rootStore(bao, { mounts: MOUNTS }).open();
    await provider.put("kv/list/a/b", secrets({ y: "1", x: "2" }), { ifVersion: 0 });
    await provider.put("old/list", secrets({ z: "1" }), { ifVersion: 0 });
    const found = await provider.list();
    const paths = found.map(({ path }) => path);
    expect(paths).toEqual(paths.toSorted());
    expect(found.find(({ path }) => path === "kv/list/a/b")).toMatchObject({ fields: ["x", "y"], version: 1 });
    expect(found.find(({ path }) => path === "old/list")).toMatchObject({ fields: ["z"], version: 1 });
    const all = (await provider.readAll()).filter(({ path }) => path === "kv/list/a/b");
    expect(all.map(({ field, value }) => `${field}=${value.expose()}`).toSorted()).toEqual(["x=2", "y=1"]);
    await provider.remove("kv/list/a/b");
    expect((await bao.call("GET", "secret/metadata/list/a/b", undefined, { loose: true })).status).toBe(404);
    expect((await failureOf(() => provider.remove("kv/list/a/b"))).code).toBe("secret-not-found");
  });

  test("a mount made a moment ago takes its first write", async () => {
    const mounts = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`m${n}`, { path: `fresh${n}` }]));
    const provider = await rootStore(bao, { mounts }).open();
    for (const [name, { path }] of Object.entries(mounts)) {
      await bao.call("POST", `sys/mounts/${path}`, { type: "kv", options: { version: "2" } });
      expect(await provider.put(`${name}/first`, secrets({ value: "1" }), { ifVersion: 0 })).toBe(1);
    }
  });
});

describe("retention", () => {
  test("the path's own limits go before the mount's, and the mount's before the default", async () => {
    await bao.call("POST", "sys/mounts/keep", { type: "kv", options: { version: "2" } });
    const mount = { path: "keep", version: 2 } as const;
    const session = sessionOf();
    const retention = () => retentionOf(session, mount, "x", request());
    await expect.poll(retention).toEqual({ maxVersions: 10, deleteAfter: "0s" });
    await bao.call("POST", "keep/config", { max_versions: 5, delete_version_after: "1h" });
    expect(await retention()).toEqual({ maxVersions: 5, deleteAfter: "1h0m0s" });
    await bao.call("POST", "keep/metadata/x", { max_versions: 2 });
    expect((await retention()).maxVersions).toBe(2);
  });

  test("too few versions, or versions that end by themselves, are refused with the command that mends it", () => {
    const check = (retention: { maxVersions: number; deleteAfter: string }) => () =>
      requireRetention("team", "secret/x", retention, 3);
    expect(check({ maxVersions: 3, deleteAfter: "0s" })).not.toThrow();
    expect(check({ maxVersions: 2, deleteAfter: "0s" })).toThrow("keeps 2 versions of secret/x, and 3 are needed");
    expect(check({ maxVersions: 9, deleteAfter: "1h0m0s" })).toThrow("deletes every version of secret/x after 1h0m0s");
  });
});

describe("KV v1", () => {
  test("stores and reads; the check before a write is a read", async () => {
    const provider = await rootStore(bao, { mounts: MOUNTS }).open();
    expect(await provider.put("old/one", secrets({ value: "v" }), { ifVersion: 0 })).toBe(1);
    expect(await valuesOf(provider, "mcp-secret://team/old/one")).toEqual(["v"]);
    expect((await failureOf(() => provider.put("old/one", secrets({ value: "w" }), { ifVersion: 0 }))).code).toBe(
      "secret-exists",
    );
    expect(await provider.put("old/one", secrets({ value: "w" }), { ifVersion: 1 })).toBe(1);
    await provider.remove("old/one");
    expect((await failureOf(() => valuesOf(provider, "mcp-secret://team/old/one"))).code).toBe("secret-not-found");
  });
});

test("a path that begins with no mount is an error that names the mounts", async () => {
  const provider = await rootStore(bao, { mounts: MOUNTS }).open();
  const { code, message } = await failureOf(() => valuesOf(provider, "mcp-secret://team/nowhere/x"));
  expect([code, message]).toEqual(["config-invalid", "store team has no mount for nowhere/x; its mounts are kv, old"]);
});
