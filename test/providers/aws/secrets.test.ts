import {
  CreateSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AwsServer, startMoto } from "../../servers/aws.ts";
import { failureOf, request, secrets, valuesOf } from "../parts.ts";
import { testStore } from "./store.ts";

let aws: AwsServer;
let direct: SecretsManagerClient;

beforeAll(async () => {
  aws = await startMoto();
  direct = new SecretsManagerClient({
    region: "eu-central-1",
    endpoint: aws.address,
    credentials: { accessKeyId: "x", secretAccessKey: "y" },
  });
});
afterAll(async () => {
  direct.destroy();
  await aws[Symbol.asyncDispose]();
});

async function stagesOf(name: string): Promise<Record<string, string[]>> {
  const { VersionIdsToStages: stages = {} } = await direct.send(new DescribeSecretCommand({ SecretId: name }));
  return Object.fromEntries(Object.entries(stages).filter(([, labels]) => labels.length > 0));
}

describe("what is stored is what is read", () => {
  test.each([
    ["a value", { value: "plain" }],
    ["a value that looks like fields", { value: '{"a":"b"}' }],
    ["an empty value", { value: "" }],
    ["a number's text", { value: "12" }],
    ["fields", { username: "app", password: 'p"\\ä\u{1f511}\n' }],
  ])("%s", async (_, fields) => {
    const provider = testStore({ address: aws.address }).open();
    await provider.put("server/NAME", secrets(fields), { ifVersion: 0 });
    const names = Object.keys(fields);
    const found = await valuesOf(provider, ...names.map((name) => `mcp-secret://prod/server/NAME#${name}`));
    expect(found).toEqual(Object.values(fields));
  });

  test("what others stored: fields that are no strings, and none that are null", async () => {
    const store = testStore({ address: aws.address });
    const text = JSON.stringify({ port: 5432, on: true, none: null, more: { a: 1 } });
    await direct.send(new CreateSecretCommand({ Name: store.nameOf("db"), SecretString: text }));
    const provider = store.open();
    const ref = (field: string) => `mcp-secret://prod/db#${field}`;
    expect(await valuesOf(provider, ref("port"), ref("on"), ref("more"))).toEqual(["5432", "true", '{"a":1}']);
    const error = await failureOf(() => valuesOf(provider, ref("none")));
    expect([error.code, error.hint]).toEqual(["secret-not-found", "its fields are more, on, port: name one after #"]);
  });

  test("binary is refused, and says what to do", async () => {
    const store = testStore({ address: aws.address });
    await direct.send(new CreateSecretCommand({ Name: store.nameOf("key"), SecretBinary: Buffer.from([0, 255]) }));
    const error = await failureOf(() => valuesOf(store.open(), "mcp-secret://prod/key"));
    expect([error.code, error.message, error.hint]).toEqual([
      "secret-corrupt",
      `store prod: ${store.nameOf("key")} is binary: an environment holds text only`,
      "store it as text, in base64 where the server takes that",
    ]);
  });

  test("what is too large is not sent", async () => {
    const provider = testStore({ address: aws.address }).open();
    const write = () => provider.put("big", secrets({ value: "x".repeat(65_537) }), { ifVersion: 0 });
    expect((await failureOf(write)).code).toBe("refused");
    expect(await provider.describe("big")).toBeUndefined();
  });
});

describe("many at once", () => {
  test("thirty, in order, each field once", async () => {
    const provider = testStore({ address: aws.address }).open();
    const paths = Array.from({ length: 30 }, (_, at) => `many/N${at}`);
    for (const path of paths) await provider.put(path, secrets({ value: `v-${path}` }), { ifVersion: 0 });
    const found = await valuesOf(provider, ...paths.map((path) => `mcp-secret://prod/${path}`));
    expect(found).toEqual(paths.map((path) => `v-${path}`));
    const summaries = await provider.list();
    expect(summaries.map(({ path }) => path)).toEqual(paths.toSorted());
    expect(new Set(summaries.map(({ version, fields }) => `${version} ${fields.join()}`))).toEqual(
      new Set(["1 value"]),
    );
    const values = await provider.readAll();
    expect(values.map(({ path, value }) => [path, value.expose()])).toEqual(
      paths.toSorted().map((path) => [path, `v-${path}`]),
    );
  });

  test("each that is missing is named", async () => {
    const store = testStore({ address: aws.address });
    const provider = store.open();
    await provider.put("there", secrets({ value: "x" }), { ifVersion: 0 });
    const refs = ["there", "gone-1", "gone-2"].map((path) => `mcp-secret://prod/${path}`);
    const error = await failureOf(() => valuesOf(provider, ...refs));
    expect(error.code).toBe("secret-not-found");
    expect(error.message).toBe(
      `store prod has no ${store.nameOf("gone-1")}; store prod has no ${store.nameOf("gone-2")}`,
    );
  });

  test("other names in the same account are not shown", async () => {
    const store = testStore({ address: aws.address });
    await direct.send(new CreateSecretCommand({ Name: store.nameOf("a+b"), SecretString: "x" }));
    await direct.send(new CreateSecretCommand({ Name: `other-${store.nameOf("a")}`, SecretString: "x" }));
    expect(await store.open().list()).toEqual([]);
  });
});

describe("versions", () => {
  test("count from one, and the one before is kept", async () => {
    const store = testStore({ address: aws.address });
    const provider = store.open();
    const write = (value: string, ifVersion: number) => provider.put("v", secrets({ value }), { ifVersion });
    expect([await write("a", 0), await write("b", 1), await write("c", 2)]).toEqual([1, 2, 3]);
    expect((await provider.describe("v"))?.version).toBe(3);
    const stages = await stagesOf(store.nameOf("v"));
    expect(Object.entries(stages).map(([id, labels]) => [id.slice(0, 8), labels])).toEqual([
      ["00000002", ["AWSPREVIOUS"]],
      ["00000003", ["AWSCURRENT"]],
    ]);
  });

  test("a write over another version changes nothing", async () => {
    const provider = testStore({ address: aws.address }).open();
    const write = (value: string, ifVersion: number) => provider.put("v", secrets({ value }), { ifVersion });
    await write("a", 0);
    await write("b", 1);
    const errors = [
      await failureOf(() => write("x", 0)),
      await failureOf(() => write("x", 1)),
      await failureOf(() => provider.put("none", secrets({ value: "x" }), { ifVersion: 1 })),
    ];
    expect(errors.map(({ code }) => code)).toEqual(["secret-exists", "secret-exists", "secret-exists"]);
    expect(await valuesOf(provider, "mcp-secret://prod/v")).toEqual(["b"]);
  });

  test("the same write again, as after a crash, adds none", async () => {
    const store = testStore({ address: aws.address });
    const provider = store.open();
    const write = (value: string, ifVersion: number) => provider.put("v", secrets({ value }), { ifVersion });
    expect([await write("a", 0), await write("a", 0)]).toEqual([1, 1]);
    expect([await write("b", 1), await write("b", 1)]).toEqual([2, 2]);
    expect(Object.keys(await stagesOf(store.nameOf("v")))).toHaveLength(2);
  });

  test("of ten writers one wins, and nothing is lost", async () => {
    const store = testStore({ address: aws.address });
    const provider = store.open();
    await provider.put("v", secrets({ value: "first" }), { ifVersion: 0 });
    const writes = Array.from({ length: 10 }, (_, at) =>
      provider.put("v", secrets({ value: `w${at}` }), { ifVersion: 1 }).then(
        () => `w${at}`,
        (error: unknown) => error,
      ),
    );
    const ended = await Promise.all(writes);
    const won = ended.filter((each) => typeof each === "string");
    const lost = ended.filter((each) => typeof each !== "string");
    expect(won).toHaveLength(1);
    expect(lost).toEqual(Array.from({ length: 9 }, () => expect.objectContaining({ code: "secret-exists" })));
    expect(await valuesOf(provider, "mcp-secret://prod/v")).toEqual(won);
    const labels = Object.values(await stagesOf(store.nameOf("v"))).flat();
    expect(labels.toSorted()).toEqual(["AWSCURRENT", "AWSPREVIOUS"]);
  });

  test("one that others promoted is seen at once, under a number of its own", async () => {
    const store = testStore({ address: aws.address });
    const provider = store.open();
    const name = store.nameOf("v");
    await provider.put("v", secrets({ value: "ours" }), { ifVersion: 0 });
    const token = "11111111-2222-4333-8444-555555555555";
    await direct.send(
      new PutSecretValueCommand({
        SecretId: name,
        SecretString: "theirs",
        ClientRequestToken: token,
        VersionStages: ["AWSPENDING"],
      }),
    );
    expect(await valuesOf(provider, "mcp-secret://prod/v")).toEqual(["ours"]);
    const [ours] = Object.keys(await stagesOf(name));
    await direct.send(
      new UpdateSecretVersionStageCommand({
        SecretId: name,
        VersionStage: "AWSCURRENT",
        MoveToVersionId: token,
        RemoveFromVersionId: ours,
      }),
    );
    expect(await valuesOf(provider, "mcp-secret://prod/v")).toEqual(["theirs"]);
    const version = (await provider.describe("v"))?.version ?? 0;
    expect(version).toBeGreaterThan(2 ** 32);
    expect(Number.isSafeInteger(version)).toBe(true);
    expect(await provider.put("v", secrets({ value: "again ours" }), { ifVersion: version })).toBe(2);
    expect(await valuesOf(provider, "mcp-secret://prod/v")).toEqual(["again ours"]);
  });

  test("a secret that was made without a value gets its first", async () => {
    const store = testStore({ address: aws.address });
    await direct.send(new CreateSecretCommand({ Name: store.nameOf("empty") }));
    const provider = store.open();
    expect(await provider.describe("empty")).toBeUndefined();
    expect(await provider.put("empty", secrets({ value: "x" }), { ifVersion: 0 })).toBe(1);
    expect(await valuesOf(provider, "mcp-secret://prod/empty")).toEqual(["x"]);
  });

  test("the id of a value is another on each machine, so that logs help nobody to guess it", async () => {
    const prefix = "shared/";
    const ids: string[] = [];
    for (const store of [0, 1].map(() => testStore({ address: aws.address, settings: { prefix, recoveryDays: 0 } }))) {
      const provider = store.open();
      await provider.put("v", secrets({ value: "guess" }), { ifVersion: 0 });
      ids.push(...Object.keys(await stagesOf("shared/v")));
      await provider.remove("v");
    }
    expect(ids).toEqual([expect.stringMatching(/^00000001-/), expect.stringMatching(/^00000001-/)]);
    expect(ids[0]).not.toBe(ids[1]);
  });
});

test("tags tell whose it is", async () => {
  const store = testStore({ address: aws.address, settings: { owner: "team a" } });
  const origin = { client: "cursor", server: "git*hub" };
  await store.open().put("t", secrets({ value: "x" }), { ifVersion: 0, origin });
  const { Tags: tags } = await direct.send(new DescribeSecretCommand({ SecretId: store.nameOf("t") }));
  expect(Object.fromEntries((tags ?? []).map(({ Key, Value }) => [Key, Value]))).toEqual({
    "mcp-secrets:managed": "true",
    "mcp-secrets:client": "cursor",
    "mcp-secrets:server": "git-hub",
    "mcp-secrets:owner": "team a",
  });
});

describe("removing", () => {
  test("can be undone for as long as the settings say, and is told apart from missing until then", async () => {
    const store = testStore({ address: aws.address });
    const provider = store.open();
    await provider.put("r", secrets({ value: "x" }), { ifVersion: 0 });
    await provider.remove("r");
    const name = store.nameOf("r");
    const errors = [
      await failureOf(() => valuesOf(provider, "mcp-secret://prod/r")),
      await failureOf(() => provider.remove("r")),
      await failureOf(() => provider.put("r", secrets({ value: "y" }), { ifVersion: 0 })),
    ];
    const restore = `bring it back with: aws secretsmanager restore-secret --secret-id ${name}`;
    expect(errors.map(({ code, hint }) => [code, hint])).toEqual(Array(3).fill(["secret-deleted", restore]));
    expect([await provider.describe("r"), await provider.list()]).toEqual([undefined, []]);
    await direct.send(new RestoreSecretCommand({ SecretId: name }));
    expect(await valuesOf(provider, "mcp-secret://prod/r")).toEqual(["x"]);
  });

  test("at once where the settings say so", async () => {
    const provider = testStore({ address: aws.address, settings: { recoveryDays: 0 } }).open();
    await provider.put("r", secrets({ value: "x" }), { ifVersion: 0 });
    await provider.remove("r");
    expect((await failureOf(() => provider.remove("r"))).code).toBe("secret-not-found");
    expect(await provider.put("r", secrets({ value: "y" }), { ifVersion: 0 })).toBe(1);
  });
});

test("a name that the service does not take, and one that is a role's", async () => {
  const provider = testStore({ address: aws.address }).open();
  const put = (path: string) => provider.put(path, secrets({ value: "x" }), { ifVersion: 0 });
  expect((await failureOf(() => put("a~b"))).code).toBe("reference-invalid");
  expect((await failureOf(() => put("role/x"))).code).toBe("refused");
});

test("an answer after the deadline is none", async () => {
  const provider = testStore({ address: aws.address }).open();
  const error = await failureOf(() => provider.resolve([{ store: "prod", path: "x" }], request(-1)));
  expect(error.code).toBe("store-timeout");
});
