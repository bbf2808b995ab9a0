import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseRef } from "../../../src/core/ref.ts";
import { type AwsServer, startMinistack } from "../../servers/aws.ts";
import { type Iam, iamOf } from "../../servers/iam.ts";
import { failureOf, memoryJournal, request, secrets, valuesOf } from "../parts.ts";
import { type Keys, testStore } from "./store.ts";

let aws: AwsServer;
let iam: Iam;
beforeAll(async () => {
  aws = await startMinistack({ auth: true });
  iam = iamOf(aws);
});
afterAll(() => aws[Symbol.asyncDispose]());

const LAUNCH = { id: "0123456789abcdef", entry: "claude-desktop/my server" };
let count = 0;
const fresh = (kind: string) => `${kind}-${(count += 1)}`;

function allowing(actions: readonly string[], resource: string | readonly string[] = "*") {
  return { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: actions, Resource: resource }] };
}

function trusting(arn: string) {
  const actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
  return { Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: { AWS: arn }, Action: actions }] };
}

const ASSUMING = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
const FIELDS = ["access_key_id", "secret_access_key", "session_token"];
const refs = (path: string, fields: readonly string[] = FIELDS) =>
  fields.map((field) => parseRef(`mcp-secret://prod/${path}#${field}`));

function keysOf([id = "", secret = "", token = ""]: readonly string[]): Keys {
  return { id, secret, token };
}

function asking(keys: Keys) {
  const credentials = { accessKeyId: keys.id, secretAccessKey: keys.secret, sessionToken: keys.token ?? "" };
  return { region: "eu-central-1", endpoint: aws.address, credentials, maxAttempts: 1 };
}

/** A user who may assume a role that reads everything. */
async function withRole(policy: unknown = allowing(["secretsmanager:*"])) {
  const user = await iam.user(fresh("u"), allowing(ASSUMING));
  const arn = await iam.role(fresh("reader"), policy, trusting(user.arn));
  return { user, arn };
}

describe("a role for one launch", () => {
  test("all fields are of one session, which names the launch and the server", async () => {
    const { user, arn } = await withRole();
    const store = testStore({ address: aws.address, keys: user, settings: { roles: { reader: { arn } } } });
    const journal = memoryJournal();
    const scope = await store.open().scope(LAUNCH, request(), journal);
    const resolved = await scope.resolve(refs("role/reader"), request());
    const values = resolved.map(({ value }) => value.expose());
    const sts = new STSClient(asking(keysOf(values)));
    const { Arn: whoami } = await sts.send(new GetCallerIdentityCommand({}));
    const session = `${arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")}/my-server-0123456789abcdef`;
    expect(whoami).toBe(session);
    expect(resolved.map(({ lease }) => [lease?.id, lease?.renewable])).toEqual(Array(3).fill([session, false]));
    const left = (resolved[0]?.lease?.expiresAt ?? 0) - Date.now();
    expect([left > 3_500_000, left <= 3_600_000]).toEqual([true, true]);
    expect(journal.events).toEqual(["intent", `leased ${session}`]);
    expect(await scope.end([], request())).toEqual({ leases: [], credentials: [] });
  });

  test("its policy narrows what the role may do", async () => {
    const { user, arn } = await withRole();
    const root = testStore({ address: aws.address });
    await root.open().put("mine", secrets({ value: "mine" }), { ifVersion: 0 });
    await root.open().put("other", secrets({ value: "other" }), { ifVersion: 0 });
    const resource = `arn:aws:secretsmanager:*:*:secret:${root.nameOf("mine")}-??????`;
    const policy = allowing(["secretsmanager:GetSecretValue"], resource);
    const roles = { whole: { arn }, narrow: { arn, policy } };
    const provider = testStore({ address: aws.address, keys: user, settings: { roles } }).open();
    const read = async (path: string, name: string) => {
      const values = (await provider.resolve(refs(path), request())).map(({ value }) => value.expose());
      const client = new SecretsManagerClient(asking(keysOf(values)));
      const got = client.send(new GetSecretValueCommand({ SecretId: root.nameOf(name) }));
      return got.then(
        ({ SecretString: text }) => text,
        (error: unknown) => (error instanceof Error ? error.name : ""),
      );
    };
    expect(await read("role/whole", "other")).toBe("other");
    expect(await read("role/narrow", "mine")).toBe("mine");
    expect(await read("role/narrow", "other")).toBe("AccessDeniedException");
  });

  test("one that may not be assumed, one that is not set up, a field that is none", async () => {
    const { arn } = await withRole();
    const stranger = await iam.user(fresh("u"), allowing(["secretsmanager:*"]));
    const settings = { roles: { reader: { arn } } };
    const provider = testStore({ address: aws.address, keys: stranger, settings }).open();
    const denied = await failureOf(() => provider.resolve(refs("role/reader"), request()));
    expect([denied.code, denied.exit, denied.message]).toEqual([
      "store-denied",
      77,
      expect.stringContaining("AssumeRole arn:"),
    ]);
    const unknown = await failureOf(() => provider.resolve(refs("role/other"), request()));
    expect([unknown.code, unknown.message]).toEqual(["config-invalid", expect.stringContaining("roles are reader")]);
    const field = await failureOf(() => provider.resolve(refs("role/reader", ["value"]), request()));
    expect([field.code, field.hint]).toEqual(["secret-not-found", expect.stringContaining("session_token")]);
  });
});

describe("a role of the store", () => {
  test("reads with a session that holds no more than the references of the launch", async () => {
    const root = testStore({ address: aws.address });
    for (const path of ["s/a", "s/b", "t/c"]) {
      await root.open().put(path, secrets({ value: path }), { ifVersion: 0 });
    }
    const { user, arn } = await withRole();
    const settings = { roleArn: arn, prefix: root.nameOf("") };
    const provider = testStore({ address: aws.address, keys: user, settings }).open();
    const scope = await provider.scope(LAUNCH, request(), memoryJournal());
    const read = await scope.resolve([parseRef("mcp-secret://prod/s/a"), parseRef("mcp-secret://prod/s/b")], request());
    expect(read.map(({ value }) => value.expose())).toEqual(["s/a", "s/b"]);
    await scope.end([], request());
    // The user itself may read nothing.
    const bare = testStore({ address: aws.address, keys: user, settings: { prefix: root.nameOf("") } }).open();
    expect((await failureOf(() => valuesOf(bare, "mcp-secret://prod/s/a"))).code).toBe("store-denied");
  });
});

describe("the policy that is printed", () => {
  test("is enough for this server, and for no other's secrets", async () => {
    const root = testStore({ address: aws.address });
    for (const path of ["github/TOKEN", "github/KEY", "github/TOKEN-2", "gitlab/TOKEN"]) {
      await root.open().put(path, secrets({ value: path }), { ifVersion: 0 });
    }
    const ours = ["mcp-secret://prod/github/TOKEN", "mcp-secret://prod/github/KEY"];
    const text = root.open().policyFor("github", ours.map(parseRef));
    const user = await iam.user(fresh("u"), JSON.parse(text).identityPolicy);
    const settings = { prefix: root.nameOf("") };
    const provider = testStore({ address: aws.address, keys: user, settings }).open();
    expect(await valuesOf(provider, ...ours)).toEqual(["github/TOKEN", "github/KEY"]);
    for (const other of ["github/TOKEN-2", "gitlab/TOKEN"]) {
      const error = await failureOf(() => valuesOf(provider, `mcp-secret://prod/${other}`));
      expect([other, error.code]).toEqual([other, "store-denied"]);
    }
    expect((await failureOf(() => provider.list())).code).toBe("store-denied");
  });

  test("lets the roles be assumed, and says whom they must trust", async () => {
    const { arn } = await withRole();
    const settings = { roles: { reader: { arn, externalId: "our-id" } }, region: "cn-north-1", kmsKeyId: "k-1" };
    const provider = testStore({ address: aws.address, settings }).open();
    const rights = JSON.parse(provider.policyFor("s", [parseRef("mcp-secret://prod/role/reader#session_token")]));
    expect(rights.identityPolicy.Statement).toEqual([
      { Effect: "Allow", Action: ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"], Resource: arn },
    ]);
    expect(rights.trustPolicies[arn].Statement[0].Condition).toEqual({
      StringEquals: { "sts:ExternalId": "our-id" },
    });
    const keyed = JSON.parse(provider.policyFor("s", [parseRef("mcp-secret://prod/a")]));
    expect(keyed.identityPolicy.Statement[1]).toEqual({
      Effect: "Allow",
      Action: ["kms:Decrypt"],
      Resource: "arn:aws-cn:kms:cn-north-1:*:key/k-1",
      Condition: { StringLike: { "kms:ViaService": "secretsmanager.cn-north-1.amazonaws.com" } },
    });
  });

  test("a session that would be too long is widened to folders", () => {
    const settings = { roleArn: "arn:aws:iam::000000000000:role/x" };
    const provider = testStore({ address: aws.address, settings }).open();
    const many = Array.from({ length: 60 }, (_, at) => parseRef(`mcp-secret://prod/server/NAME_${at}`));
    const { sessionPolicy } = JSON.parse(provider.policyFor("server", many));
    expect(JSON.stringify(sessionPolicy).length).toBeLessThan(2048);
    expect(sessionPolicy.Statement[0].Resource).toEqual([
      expect.stringMatching(/:000000000000:secret:.*\/server\/\*$/),
    ]);
  });
});

describe("check", () => {
  const ok = (found: readonly { ok: boolean }[]) => found.map((one) => one.ok);

  test("root may everything", async () => {
    const found = await testStore({ address: aws.address }).open().check(request());
    expect(ok(found)).toEqual([true, true]);
    expect(found[0]?.what).toContain(`asks as arn:aws:iam::${aws.account}:`);
    expect(found[1]?.what).toContain("secretsmanager:UpdateSecretVersionStage");
  });

  test("says the smallest policy that is missing, which is enough once it is given", async () => {
    const name = fresh("u");
    const own = allowing(["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]);
    const user = await iam.user(name, own);
    const provider = testStore({ address: aws.address, keys: user }).open();
    const found = await provider.check(request());
    expect(ok(found)).toEqual([true, true, false]);
    const missing = JSON.parse(found[2]?.remedy ?? "");
    expect(missing.Statement.map(({ Action: actions }: { Action: string[] }) => actions)).toEqual([
      [
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:PutSecretValue",
        "secretsmanager:TagResource",
        "secretsmanager:UpdateSecretVersionStage",
      ],
      ["secretsmanager:BatchGetSecretValue", "secretsmanager:ListSecrets"],
    ]);
    await iam.setUserPolicy(name, { ...own, Statement: [...own.Statement, ...missing.Statement] });
    expect(ok(await provider.check(request()))).toEqual([true, true]);
    await provider.put("a", secrets({ value: "x" }), { ifVersion: 0 });
    // ministack makes ids of its own, whatever token it is given.
    const ifVersion = (await provider.describe("a"))?.version ?? 0;
    await provider.put("a", secrets({ value: "y" }), { ifVersion });
    expect(await valuesOf(provider, "mcp-secret://prod/a")).toEqual(["y"]);
  });

  test("keys that nobody knows, and a role that may not be assumed", async () => {
    const nobody = testStore({ address: aws.address, keys: { id: "AKIANOBODY0000000000", secret: "x" } }).open();
    expect(await nobody.check(request())).toEqual([
      {
        ok: false,
        what: expect.stringContaining("GetCallerIdentity"),
        remedy: expect.stringContaining("aws configure"),
      },
    ]);
    const { arn } = await withRole();
    const stranger = await iam.user(fresh("u"), allowing(["secretsmanager:*"]));
    const settings = { roles: { reader: { arn } } };
    const found = await testStore({ address: aws.address, keys: stranger, settings }).open().check(request());
    expect(found.at(-1)).toMatchObject({ ok: false, what: expect.stringContaining("role reader") });
  });
});
