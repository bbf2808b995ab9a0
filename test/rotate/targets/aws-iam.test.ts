import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Fields } from "../../../src/core/provider.ts";
import { Secret } from "../../../src/core/secret.ts";
import { open, servicesOf } from "../../../src/rotate/targets/aws-iam.ts";
import { awsQuery, membersIn, signedHeaders, textIn } from "../../../src/rotate/targets/aws/query.ts";
import { type AwsServer, startMinistack, startMoto } from "../../servers/aws.ts";
import { startFake } from "../../servers/fake-vault.ts";
import { type FaultProxy, startFaultProxy } from "../../servers/fault-proxy.ts";
import { type Iam, iamOf } from "../../servers/iam.ts";
import { apiOptions, failureOf, fields, rotation, shown } from "./api.ts";

/** ministack checks signatures and policies; moto keeps the limit of two keys and knows when a key was used. */
let ministack: AwsServer;
let moto: AwsServer;
let proxy: FaultProxy;
let iam: Iam;

beforeAll(async () => {
  ministack = await startMinistack({ auth: true });
  moto = await startMoto();
  proxy = await startFaultProxy(ministack.address);
  iam = iamOf(ministack);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await ministack[Symbol.asyncDispose]();
  await moto[Symbol.asyncDispose]();
});

const ANY = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iam:GetUser", Resource: "*" }] };

let user = "";
let current: Fields = {};
let users = 0;
beforeEach(async () => {
  users += 1;
  user = `user-${users}`;
  const arn = `arn:aws:iam::${ministack.account}:user/${user}`;
  const own = ["CreateAccessKey", "ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey", "GetAccessKeyLastUsed"];
  const actions = [...own, "TagUser", "UntagUser", "ListUserTags"].map((action) => `iam:${action}`);
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: actions, Resource: arn }] };
  // ministack judges this action by another resource than the user, as IAM does where no user is named.
  policy.Statement.push({ Effect: "Allow", Action: ["iam:GetAccessKeyLastUsed"], Resource: "*" });
  const { id, secret } = await iam.user(user, policy);
  current = fields({ access_key_id: id, secret_access_key: secret, region: "eu-central-1" });
  proxy.fault = () => undefined;
});

function target(address = proxy.address, more: Record<string, unknown> = {}) {
  return open(apiOptions({ user, endpoint: address, stsEndpoint: address, inactive: 0, ...more }, { admin: current }));
}

const idOf = (key: Fields) => shown(key)["access_key_id"];

test("signs as the published example of Signature Version 4 does", () => {
  const key = { id: "AKIDEXAMPLE", secret: new Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY") };
  const now = Date.parse("2015-08-30T12:36:00Z");
  const call = { region: "us-east-1", service: "service", host: "example.amazonaws.com", now, body: "Param1=value1" };
  // The case post-x-www-form-urlencoded of the test suite of AWS.
  expect(signedHeaders(key, call)["authorization"]).toMatch(
    /SignedHeaders=content-type;host;x-amz-date, Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a$/,
  );
});

test("makes a key, tells it from a wrong one, and ends the old one", async () => {
  const { mint, test: login, retire, settling } = target();
  const request = rotation(current);
  const made = await mint(request);
  expect(Object.keys(made).toSorted()).toEqual(["access_key_id", "region", "secret_access_key"]);
  expect(shown(made)["region"]).toBe("eu-central-1");
  expect(await login(made, request)).toEqual({ type: "valid" });
  expect(await login(current, request)).toEqual({ type: "valid" });
  expect(await login({ ...made, secret_access_key: new Secret("no") }, request)).toEqual({ type: "rejected" });
  expect(settling).toBeGreaterThan(0);

  await retire(current, rotation(made));
  expect(await login(current, request)).toEqual({ type: "rejected" });
  expect(await login(made, request)).toEqual({ type: "valid" });
  await retire(current, rotation(made));
  expect(JSON.stringify(proxy.seen)).not.toContain(shown(made)["secret_access_key"]);
});

test("is inactive before it is deleted", async () => {
  const { mint, retire } = target();
  const made = await mint(rotation(current));
  const before = proxy.seen.length;
  await retire(current, rotation(made));
  const actions = proxy.seen.slice(before).map(({ body }) => new URLSearchParams(body).get("Action"));
  expect(actions).toEqual(["ListAccessKeys", "UpdateAccessKey", "DeleteAccessKey", "UntagUser"]);
});

test("a wait that the time does not suffice for leaves the key inactive, to be deleted by the next run", async () => {
  const { mint, retire, test: login } = target(proxy.address, { inactive: 30 });
  const made = await mint(rotation(current));
  expect((await failureOf(retire(current, rotation(made)))).code).toBe("target-unreachable");
  expect(await login(current, rotation(made))).toEqual({ type: "rejected" });
  await retire(current, rotation(made));
  expect(await keysOf(made)).toEqual([idOf(made)]);
});

test("an administrator's key does it where one is named", async () => {
  const { mint } = target(proxy.address, { admin: "mcp-secret://local/admin" });
  const made = await mint(rotation(fields({ access_key_id: idOf(current) ?? "", secret_access_key: "lost" })));
  expect(idOf(made)).not.toBe(idOf(current));
});

test("a lost answer is lost, and what it made is found and taken away", async () => {
  const { mint, discard } = target();
  proxy.fault = ({ body }) => (body.includes("CreateAccessKey") ? "lost" : undefined);
  const request = rotation(current);
  const failure = await failureOf(mint(request));
  expect(failure).toMatchObject({ code: "target-lost", exit: 75 });
  expect(await keysOf(current)).toHaveLength(2);
  proxy.fault = () => undefined;
  await discard({ ...request, id: "b".repeat(26) });
  expect(await keysOf(current)).toHaveLength(2);
  await discard(request);
  expect(await keysOf(current)).toEqual([idOf(current)]);
  expect(idOf(await mint(request))).toBeDefined();
});

test("a candidate that came to nothing is taken away, though it was tried", async () => {
  const { mint, discard, test: login } = target();
  const made = await mint(rotation(current));
  expect(await login(made, rotation(current))).toEqual({ type: "valid" });
  await discard(rotation(current));
  expect(await keysOf(current)).toEqual([idOf(current)]);
  await discard(rotation(current));
});

test("a key that was there before is never discarded", async () => {
  const { mint, discard } = target();
  proxy.fault = ({ body }) => (body.includes("CreateAccessKey") ? 503 : undefined);
  // 503 does not say whether it was done.
  expect((await failureOf(mint(rotation(current)))).code).toBe("target-lost");
  await discard(rotation(current));
  expect(await keysOf(current)).toEqual([idOf(current)]);
});

test("with two keys there nothing is made, and when each was used is told", async () => {
  const first = await iamOf(moto).user(user, ANY);
  const own = fields({ access_key_id: first.id, secret_access_key: first.secret });
  const { mint, discard } = target(moto.address);
  const request = rotation(own);
  const second = await mint(request);
  const failure = await failureOf(mint(rotation(own, { id: "c".repeat(26) })));
  expect(failure).toMatchObject({ code: "target-refused", exit: 77 });
  expect(failure.message).toContain(`${first.id} (active, last used 20`);
  expect(failure.message).toContain(`${idOf(second)} (active, never used)`);
  await discard(rotation(own, { id: "c".repeat(26) }));
  expect((await failureOf(mint(rotation(own)))).code).toBe("target-refused");
});

test("a key that somebody uses is not the one of a lost answer", async () => {
  const first = await iamOf(moto).user(user, ANY);
  const own = fields({ access_key_id: first.id, secret_access_key: first.secret });
  await using lossy = await startFaultProxy(moto.address);
  const { mint, discard } = target(lossy.address);
  lossy.fault = ({ body }) => (body.includes("CreateAccessKey") ? "hang" : undefined);
  // Nothing was made; at the same time somebody else makes a key and uses it.
  expect((await failureOf(mint(rotation(own, { deadline: Date.now() + 1500 })))).code).toBe("target-lost");
  lossy.fault = () => undefined;
  const xml = await ask(moto, own, { Action: "CreateAccessKey", UserName: user });
  const theirs = fields({ access_key_id: textIn(xml, "AccessKeyId") ?? "", secret_access_key: "x" });
  await ask(moto, theirs, { Action: "ListUserTags", UserName: user });
  await discard(rotation(own));
  expect(await keysOf(own, moto)).toEqual([first.id, idOf(theirs)]);
});

test("another user's key is refused before anything is made", async () => {
  const { mint } = open(
    apiOptions({ user: "somebody", endpoint: proxy.address, admin: "mcp-secret://local/root" }, { root: root() }),
  );
  await iam.user("somebody", ANY);
  const failure = await failureOf(mint(rotation(current)));
  expect(failure.code).toBe("target-refused");
  expect(failure.message).toContain("is no key of user somebody");
  const other = open(apiOptions({ user: "somebody", stsEndpoint: proxy.address }));
  expect(await other.test(current, rotation(current))).toEqual({ type: "lacking", missing: ["being user somebody"] });
});

test("unreachable is not rejected: a server that errs, hangs, or is not there", async () => {
  for (const fault of [500, 503, 429, "lost"] as const) {
    proxy.fault = () => fault;
    expect(await target().test(current, rotation(current))).toMatchObject({ type: "unreachable" });
  }
  proxy.fault = () => "hang";
  const soon = rotation(current, { deadline: Date.now() + 300 });
  expect(await target().test(current, soon)).toEqual({
    type: "unreachable",
    reason: expect.stringMatching(/^127\.0\.0\.1:\d+: no answer in 1 s$/),
  });
  const nobody = target("http://127.0.0.1:1");
  expect(await nobody.test(current, rotation(current))).toEqual({
    type: "unreachable",
    reason: "127.0.0.1:1 is not reached: nothing listens there (ECONNREFUSED)",
  });
  expect((await failureOf(nobody.mint(rotation(current)))).code).toBe("target-unreachable");
});

test("a clock that is off, or patience that is asked for, says nothing of the key", async () => {
  const late =
    "SignatureDoesNotMatch</Code><Message>Signature expired: 20261125T030000Z is now earlier than 20261125T034500Z";
  for (const said of [late, "Throttling</Code><Message>Rate exceeded", "Strange</Code><Message>no"]) {
    await using fake = await startFake((_, response) => {
      response.writeHead(403, { "content-type": "text/xml" });
      response.end(`<ErrorResponse><Error><Code>${said}</Message></Error></ErrorResponse>`);
    });
    const verdict = await target(fake.address).test(current, rotation(current));
    expect(verdict.type).toBe("unreachable");
  }
});

test("what the service says of a signature is not passed on: a session's token stands in it", async () => {
  await using fake = await startFake((_, response) => {
    const said = "The Canonical String should have been 'POST / x-amz-security-token:canary'";
    response.writeHead(403, { "content-type": "text/xml" });
    response.end(
      `<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>${said}</Message></Error></ErrorResponse>`,
    );
  });
  const failure = await failureOf(target(fake.address).mint(rotation(current)));
  expect([failure.code, failure.message]).toEqual([
    "target-refused",
    "mcp-secret://local/app/key: IAM ListAccessKeys: SignatureDoesNotMatch",
  ]);
});

test("where the right to make keys is missing, that is said and nothing was made", async () => {
  await iam.setUserPolicy(user, {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ["iam:ListAccessKeys", "iam:TagUser"], Resource: "*" }],
  });
  const failure = await failureOf(target().mint(rotation(current)));
  expect(failure).toMatchObject({ code: "target-refused", hint: expect.stringContaining("iam:CreateAccessKey") });
});

test("IAM is asked and signed for where its partition has it, STS in the region", () => {
  const sts = (region: string, end = "") => `https://sts.${region}.amazonaws.com${end}`;
  expect(["eu-central-1", "us-gov-east-1", "cn-northwest-1"].map(servicesOf)).toEqual([
    { iam: "https://iam.amazonaws.com", iamRegion: "us-east-1", sts: sts("eu-central-1") },
    { iam: "https://iam.us-gov.amazonaws.com", iamRegion: "us-gov-west-1", sts: sts("us-gov-east-1") },
    { iam: "https://iam.cn-north-1.amazonaws.com.cn", iamRegion: "cn-north-1", sts: sts("cn-northwest-1", ".cn") },
  ]);
});

test("settings are read strictly", () => {
  for (const settings of [{}, { user: "a b" }, { user: "u", usr: 1 }, { user: "u", endpoint: "http://example.com" }]) {
    expect(() => open(apiOptions(settings))).toThrow(expect.objectContaining({ code: "config-invalid" }));
  }
});

function root(): Fields {
  return fields({ access_key_id: "test", secret_access_key: "test" });
}

/** Ids of the user's keys. */
async function keysOf(key: Fields, server = ministack): Promise<string[]> {
  const xml = await ask(server, key, { Action: "ListAccessKeys", UserName: user });
  return membersIn(xml).map((member) => textIn(member, "AccessKeyId") ?? "");
}

async function ask(server: AwsServer, key: Fields, asked: Readonly<Record<string, string>>): Promise<string> {
  const service = { name: "iam", endpoint: server.address, region: "us-east-1", version: "2010-05-08" } as const;
  const signer = { id: idOf(key) ?? "", secret: key["secret_access_key"] ?? new Secret("") };
  const { http } = apiOptions({});
  const outcome = await awsQuery(service, signer, asked, { http, now: Date.now(), deadline: Date.now() + 5000 });
  if (outcome.type !== "done") throw new Error(JSON.stringify(outcome));
  return outcome.xml;
}
