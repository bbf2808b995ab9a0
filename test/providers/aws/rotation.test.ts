import {
  CreateSecretCommand,
  DescribeSecretCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, expect, test } from "vitest";
import { open } from "../../../providers/aws/provider.ts";
import { createHttp } from "../../../src/io/http.ts";
import { type AwsServer, startMoto } from "../../servers/aws.ts";
import { iamOf } from "../../servers/iam.ts";
import { failureOf, request, valuesOf } from "../parts.ts";
import { testStore } from "./store.ts";

/** moto takes a function that does nothing: the test plays it, step by step. */
let aws: AwsServer;
let direct: SecretsManagerClient;

const FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:rotate";
const ID = "a".repeat(26);
const OTHER = "b".repeat(26);

beforeAll(async () => {
  aws = await startMoto();
  await aws.post("/moto-api/config", JSON.stringify({ lambda: { use_docker: false } }));
  await makeFunction(aws);
  const credentials = { accessKeyId: "x", secretAccessKey: "y" };
  direct = new SecretsManagerClient({ region: "eu-central-1", endpoint: aws.address, credentials });
});
afterAll(async () => {
  direct.destroy();
  await aws[Symbol.asyncDispose]();
});

/** A secret that the function rotates, whose first rotation is over. */
async function rotated() {
  const store = testStore({ address: aws.address });
  const name = store.nameOf("db");
  await direct.send(new CreateSecretCommand({ Name: name, SecretString: "first" }));
  await direct.send(
    new RotateSecretCommand({
      SecretId: name,
      RotationLambdaARN: FUNCTION,
      RotationRules: { AutomaticallyAfterDays: 30 },
    }),
  );
  await finish(name, "second");
  const provider = store.open();
  return { store, name, provider, rotation: provider.rotation("db", {}) };
}

async function labels(name: string): Promise<Record<string, readonly string[]>> {
  const { VersionIdsToStages: stages = {} } = await direct.send(new DescribeSecretCommand({ SecretId: name }));
  return stages;
}

/** The last steps of the function: what it set at the issuer becomes current. */
async function finish(name: string, value: string): Promise<void> {
  const stages = Object.entries(await labels(name));
  const [pending = ""] = stages.find(([, all]) => all.includes("AWSPENDING")) ?? [];
  const [current = ""] = stages.find(([, all]) => all.includes("AWSCURRENT")) ?? [];
  const put = { SecretId: name, SecretString: value, ClientRequestToken: pending, VersionStages: ["AWSPENDING"] };
  await direct.send(new PutSecretValueCommand(put));
  const move = { SecretId: name, VersionStage: "AWSCURRENT", MoveToVersionId: pending, RemoveFromVersionId: current };
  await direct.send(new UpdateSecretVersionStageCommand(move));
  // As the service does it, where the function left it to it.
  await direct.send(
    new UpdateSecretVersionStageCommand({ SecretId: name, VersionStage: "AWSPENDING", RemoveFromVersionId: pending }),
  );
}

test("asks once for one id, says that it runs, and that it is over", async () => {
  const { name, provider, rotation } = await rotated();
  expect(await rotation.status(request())).toMatchObject({ type: "idle", rotatedAt: expect.any(Number) });
  expect(await rotation.rotate(ID, request())).toMatchObject({ type: "running" });
  const begun = await labels(name);
  expect(begun[`mcp-secrets-${ID}`]).toEqual(["AWSPENDING"]);
  // Again, and by another host: neither begins a second one.
  expect(await rotation.rotate(ID, request())).toMatchObject({ type: "running" });
  expect(await rotation.rotate(OTHER, request())).toMatchObject({ type: "running" });
  expect(await labels(name)).toEqual(begun);
  await finish(name, "third");
  expect(await rotation.status(request())).toMatchObject({ type: "idle" });
  expect(await valuesOf(provider, "mcp-secret://prod/db")).toEqual(["third"]);
});

test("a version that has been pending for too long is for a person", async () => {
  const { store, name, rotation } = await rotated();
  await rotation.rotate(ID, request());
  const late = open({ ...store.options, now: () => Date.now() + 3_700_000 });
  const stuck = await late.rotation("db", {}).status({ deadline: Infinity });
  late.close();
  expect(stuck).toEqual({
    type: "stuck",
    what: expect.stringMatching(/ has a version pending since 20/),
    hint: expect.stringContaining(
      `aws secretsmanager update-secret-version-stage --secret-id ${name} --version-stage AWSPENDING --remove-from-version-id mcp-secrets-${ID}`,
    ),
  });
});

test("a secret without a function, or that is not there, is told apart", async () => {
  const store = testStore({ address: aws.address });
  await direct.send(new CreateSecretCommand({ Name: store.nameOf("plain"), SecretString: "x" }));
  const provider = store.open();
  const plain = await failureOf(() => provider.rotation("plain", {}).rotate(ID, request()));
  expect([plain.code, plain.message]).toEqual(["refused", expect.stringContaining("the service does not rotate")]);
  const missing = await failureOf(() => provider.rotation("missing", {}).status(request()));
  expect(missing.code).toBe("secret-not-found");
  expect((await failureOf(async () => provider.rotation("plain", { every: "day" }))).code).toBe("config-invalid");
  expect((await failureOf(async () => provider.rotation("role/reader", {}))).code).toBe("refused");
});

/** The first call to it is what RotateSecret checks. */
async function makeFunction({ address }: AwsServer): Promise<void> {
  const statement = { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" };
  const trust = { Version: "2012-10-17", Statement: [statement] };
  const allow = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
  const role = await iamOf(aws).role("rotator", allow, trust);
  const empty = Buffer.from(`504b0506${"00".repeat(18)}`, "hex").toString("base64");
  const scope = "x/20260101/eu-central-1/lambda/aws4_request";
  const body = { FunctionName: "rotate", Runtime: "python3.11", Role: role, Handler: "a.b", Code: { ZipFile: empty } };
  const answer = await createHttp(Date.now)({
    method: "POST",
    url: `${address}/2015-03-31/functions`,
    headers: { authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=x` },
    body: JSON.stringify(body),
    deadline: Date.now() + 10_000,
  });
  expect(answer).toMatchObject({ status: 201 });
}
