import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { runRotate } from "../../src/commands/rotate.ts";
import { runRotateStatus } from "../../src/commands/rotate-status.ts";
import { parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { markExposed, readMarks } from "../../src/rotate/marks.ts";
import { openStore } from "../../src/stores.ts";
import { testContext } from "../helpers/context.ts";
import { type AwsServer, startMinistack } from "../servers/aws.ts";
import { type FaultProxy, startFaultProxy } from "../servers/fault-proxy.ts";
import { iamOf } from "../servers/iam.ts";
import { startVendors, type VendorServer } from "../servers/vendors.ts";

/** Rotation as a whole, through the commands, of what is met over HTTP. The vendors are strict servers of our own. */

let vendors: VendorServer;
let proxy: FaultProxy;

beforeAll(async () => {
  vendors = await startVendors();
  proxy = await startFaultProxy(vendors.address);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await vendors[Symbol.asyncDispose]();
});
beforeEach(() => {
  proxy.fault = () => undefined;
});

const REF = "mcp-secret://local/app/key";

/** A home with these secrets in the local store, and one rule for `local/app/key`. */
async function worldOf(secrets: Readonly<Record<string, Record<string, string>>>, rule: Record<string, unknown>) {
  const world = testContext();
  onTestFinished(() => world[Symbol.dispose]());
  const { context, taken } = world;
  const store = await openStore(context, "local");
  for (const [path, values] of Object.entries(secrets)) {
    const fields = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new Secret(value)]));
    await store.put?.(path, fields, { ifVersion: 0 });
  }
  mkdirSync(context.home, { recursive: true });
  writeFileSync(join(context.home, "config.jsonc"), JSON.stringify({ rotation: { [REF]: rule } }));
  const values = async (): Promise<Record<string, string>> => {
    const found = await store.read?.("app/key", { deadline: Date.now() + 5_000 });
    return Object.fromEntries(Object.entries(found?.fields ?? {}).map(([name, value]) => [name, value.expose()]));
  };
  const rotate = async () => {
    const code = await runRotate(context, [REF], { json: true });
    const { out, err } = taken();
    return { code, said: JSON.parse(out === "" ? "{}" : out) as Record<string, unknown>, told: out + err };
  };
  return { context, taken, values, rotate };
}

describe("GitLab", () => {
  const rule = () => ({ target: "vendor", vendor: "gitlab-personal", endpoint: proxy.address, scopes: ["api"] });

  test("a token is rotated, and the old one is never presented again", async () => {
    const { gitlab } = vendors;
    const old = gitlab.make().value;
    const { rotate, values } = await worldOf({ "app/key": { value: old } }, rule());
    const reuses = gitlab.reuses;
    const before = proxy.seen.length;
    const { code, said, told } = await rotate();
    expect([code, said["outcome"]]).toEqual([0, "rotated"]);
    expect(proxy.seen.slice(before).map(({ method }) => method)).toEqual(["POST", "GET"]);
    const { value = "" } = await values();
    expect([value === old, gitlab.living().includes(value), gitlab.reuses]).toEqual([false, true, reuses]);
    expect(told.includes(old) || told.includes(value)).toBe(false);
    const again = await rotate();
    expect([again.code, gitlab.living().includes((await values())["value"] ?? "")]).toEqual([0, true]);
    expect(gitlab.reuses).toBe(reuses);
  });

  test("what was in plaintext and is no business of the target stays exposed", async () => {
    const old = vendors.gitlab.make().value;
    const { context, taken } = await worldOf({ "app/key": { value: old, other: "canary" } }, rule());
    const [key, other] = [parseRef(REF), parseRef(`${REF}#other`)];
    const exposures = [key, other].map((ref) => ({ ref, version: 1, places: [] }));
    await markExposed(context, exposures, context.now());
    expect(await runRotate(context, [], { exposed: true })).toBe(1);
    const { out } = taken();
    expect(out).toMatch(/key +rotated/);
    expect(out).toMatch(/#other .*vendor has not replaced it/);
    expect([...readMarks(context).keys()]).toEqual([`${REF}#other`]);
  });

  test("a lost answer is for a person: nothing is asked again, however often it is run", async () => {
    const { gitlab } = vendors;
    const old = gitlab.make().value;
    const { context, rotate, values, taken } = await worldOf({ "app/key": { value: old } }, rule());
    proxy.fault = ({ method }) => (method === "POST" ? "lost" : undefined);
    const { code, told } = await rotate();
    expect(code).toBe(70);
    expect(told).toContain("make a new one there");
    proxy.fault = () => undefined;
    const asked = proxy.seen.length;
    const reuses = gitlab.reuses;
    expect((await rotate()).code).toBe(70);
    await runRotateStatus(context, { json: true });
    expect(taken().out).toContain("stuck");
    expect([proxy.seen.length, gitlab.reuses]).toEqual([asked, reuses]);
    expect(await values()).toEqual({ value: old });
  });

  test("a GitLab that is down, or does not let the token, changes nothing", async () => {
    const { gitlab } = vendors;
    const token = gitlab.make(["read_api"]).value;
    const { rotate, values } = await worldOf({ "app/key": { value: token } }, { ...rule(), scopes: ["read_api"] });
    proxy.fault = () => 429;
    expect((await rotate()).code).toBe(75);
    proxy.fault = () => undefined;
    expect((await rotate()).code).toBe(77);
    expect([await values(), gitlab.living().includes(token)]).toEqual([{ value: token }, true]);
  });
});

describe("OpenAI", () => {
  async function world() {
    const keys = vendors.keys.openai;
    keys.all.length = 0;
    const admin = keys.make("admin");
    const key = keys.make("app");
    const settings = { vendor: "openai", project: "proj_abc", serviceAccount: "svc_1", endpoint: proxy.address };
    const secrets = { "app/key": { value: key.value, id: key.id }, admin: { value: admin.value } };
    const rule = { target: "vendor", ...settings, admin: "mcp-secret://local/admin" };
    return { ...(await worldOf(secrets, rule)), keys, key };
  }

  test("after it exactly one key is valid, the one that is stored", async () => {
    const { rotate, values, keys, key } = await world();
    const before = proxy.seen.length;
    expect((await rotate()).code).toBe(0);
    expect(proxy.seen.slice(before).map(({ method }) => method)).toEqual(["POST", "GET", "DELETE"]);
    const { value, id } = await values();
    expect(keys.all.filter(({ name }) => name !== "admin")).toMatchObject([{ value, id }]);
    expect(id).not.toBe(key.id);
  });

  test("a lost answer leaves the old key in force; the next run ends what it made, and one is left", async () => {
    const { rotate, values, keys, key } = await world();
    let lose = true;
    proxy.fault = ({ method }) => {
      const lost = method === "POST" && lose;
      if (lost) lose = false;
      return lost ? "lost" : undefined;
    };
    const first = await rotate();
    if (first.code !== 0) {
      expect(await values()).toEqual({ value: key.value, id: key.id });
      expect((await rotate()).code).toBe(0);
    }
    const { value } = await values();
    expect(value).not.toBe(key.value);
    expect(keys.all.filter(({ name }) => name !== "admin")).toMatchObject([{ value }]);
  });
});

test("SendGrid: a key that lacks what it should have is taken away, and the old one stays", async () => {
  const keys = vendors.keys.sendgrid;
  const scopes = ["api_keys.create", "mail.send"];
  const key = keys.make("app", { id: "a".repeat(22), value: `SG.${"a".repeat(22)}.x`, scopes });
  const rule = { target: "vendor", vendor: "sendgrid", endpoint: proxy.address, scopes };
  const { rotate, values } = await worldOf({ "app/key": { value: key.value } }, rule);
  // The server of the test forgets a scope, as an account may that has lost a right.
  const make = keys.make.bind(keys);
  keys.make = (name, more) => make(name, { ...more, scopes: ["api_keys.create"] });
  const { code, told } = await rotate();
  keys.make = make;
  expect([code, told.includes("mail.send")]).toEqual([1, true]);
  expect(keys.all.map(({ value }) => value)).toEqual([key.value]);
  expect(await values()).toEqual({ value: key.value });
});

describe("IAM", () => {
  let aws: AwsServer;
  beforeAll(async () => (aws = await startMinistack({ auth: true })));
  afterAll(() => aws[Symbol.asyncDispose]());

  test("a key is rotated whole, also where the answer to its making is lost", async () => {
    await using lossy = await startFaultProxy(aws.address);
    const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iam:*", Resource: "*" }] };
    const user = await iamOf(aws).user("rotated", policy);
    const rule = {
      target: "aws-iam",
      user: "rotated",
      endpoint: lossy.address,
      stsEndpoint: lossy.address,
      inactive: 0,
    };
    const secrets = { "app/key": { access_key_id: user.id, secret_access_key: user.secret, note: "kept" } };
    const { rotate, values } = await worldOf(secrets, rule);
    let lose = true;
    lossy.fault = ({ body }) => {
      const lost = lose && body.includes("CreateAccessKey");
      if (lost) lose = false;
      return lost ? "lost" : undefined;
    };
    const first = await rotate();
    if (first.code !== 0) expect((await rotate()).code).toBe(0);
    const after = await values();
    expect(after["note"]).toBe("kept");
    expect(after["access_key_id"]).not.toBe(user.id);
    const made = lossy.seen.filter(({ body }) => body.includes("CreateAccessKey")).length;
    const ended = lossy.seen.filter(({ body }) => body.includes("DeleteAccessKey")).length;
    // One was lost and taken away, one is in force, and the first one is gone.
    expect([made, ended]).toEqual([2, 2]);
  });
});
