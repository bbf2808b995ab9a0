import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { createCalls } from "../../../providers/aws/calls.ts";
import { type ContainerServer, startContainerServer } from "../../../providers/aws/container.ts";
import { createStsApi, type RoleSession } from "../../../providers/aws/sts.ts";
import { parseRef } from "../../../src/core/ref.ts";
import { UserError } from "../../../src/errors.ts";
import { startMinistack } from "../../servers/aws.ts";
import { iamOf } from "../../servers/iam.ts";
import { memoryJournal, request, secrets } from "../parts.ts";
import { testStore } from "./store.ts";

const TOKEN = "Bearer right";

function session(number: number, expiresAt: number): RoleSession {
  const credentials = {
    accessKeyId: `id-${number}`,
    secretAccessKey: "secret",
    sessionToken: "token",
    expiration: new Date(expiresAt),
  };
  return { credentials, arn: "arn:aws:sts::1:assumed-role/r/s" };
}

/** A server whose sessions are made by the test, on a clock of the test's. */
async function serve(mint?: () => Promise<RoleSession>) {
  const clock = { now: 1_000_000, minted: 0 };
  const refused: string[] = [];
  const server = await startContainerServer({
    token: TOKEN,
    now: () => clock.now,
    mint: mint ?? (async () => session((clock.minted += 1), clock.now + 900_000)),
    refused: (why) => refused.push(why),
  });
  onTestFinished(() => server.close());
  return { server, clock, refused };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function ask(server: ContainerServer, how: { path?: string; headers?: Record<string, string>; method?: string } = {}) {
  const { path = "/credentials", headers = { authorization: TOKEN }, method = "GET" } = how;
  const url = new URL(path, server.uri);
  return new Promise<Answer>((resolve, reject) => {
    const sent = httpRequest(url, { method, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

test("who may not ask gets nothing, and it is noted", async () => {
  const { server, clock, refused } = await serve();
  const authorization = TOKEN;
  const answers = [
    await ask(server, { headers: {} }),
    await ask(server, { headers: { authorization: "Bearer wrong" } }),
    await ask(server, { headers: { authorization, host: "evil.example" } }),
    await ask(server, { headers: { authorization, host: `localhost:${new URL(server.uri).port}` } }),
    await ask(server, { path: "/" }),
    await ask(server, { path: "/credentials?x" }),
    await ask(server, { method: "POST" }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 403, 403, 403, 403, 403]);
  for (const { text } of answers) expect(text).not.toMatch(/secret|token"|id-/i);
  expect(refused).toHaveLength(7);
  expect(clock.minted).toBe(0);
});

test("one session serves until half of its life is gone, and all who ask at once", async () => {
  const { server, clock } = await serve();
  const idNow = async () => JSON.parse((await ask(server)).text).AccessKeyId;
  expect(new Set(await Promise.all(Array.from({ length: 20 }, idNow)))).toEqual(new Set(["id-1"]));
  clock.now += 440_000;
  expect(await idNow()).toBe("id-1");
  clock.now += 20_000;
  expect(await idNow()).toBe("id-2");
});

test("where no new one is to be had the old one is given while it lives", async () => {
  let healthy = true;
  const parts = await serve(async () => {
    if (healthy) return session(1, 1_000_000 + 900_000);
    throw new UserError("store-unavailable", "no answer");
  });
  expect((await ask(parts.server)).status).toBe(200);
  healthy = false;
  parts.clock.now += 800_000;
  expect((await ask(parts.server)).status).toBe(200);
  parts.clock.now += 200_000;
  expect(await ask(parts.server)).toEqual({
    status: 503,
    text: JSON.stringify({ code: "ServiceUnavailable", message: "no answer" }),
  });
});

test("a real SDK in a child runs past two expiries without a failed call; after the launch nobody answers", async () => {
  await using aws = await startMinistack({ auth: true });
  const iam = iamOf(aws);
  const allow = (actions: string[]) => ({ Statement: [{ Effect: "Allow", Action: actions, Resource: "*" }] });
  const user = await iam.user("u", { Version: "2012-10-17", ...allow(["sts:*"]) });
  const trust = { Statement: [{ Effect: "Allow", Principal: { AWS: user.arn }, Action: ["sts:AssumeRole"] }] };
  const arn = await iam.role("r", { Version: "2012-10-17", ...allow(["secretsmanager:*"]) }, trust);
  const store = testStore({ address: aws.address });
  await store.open().put("s", secrets({ value: "x" }), { ifVersion: 0 });
  const sts = createStsApi(
    "prod",
    {
      region: "eu-central-1",
      endpoint: aws.address,
      credentials: async () => ({ accessKeyId: user.id, secretAccessKey: user.secret }),
      maxAttempts: 1,
      requestHandler: { connectionTimeout: 1000, requestTimeout: 3000, throwOnRequestTimeout: true },
    },
    createCalls("prod", Date.now, Math.random),
  );
  let minted = 0;
  const server = await startContainerServer({
    token: TOKEN,
    now: Date.now,
    // Shorter than the service gives; ministack does as it is asked, and refuses it when it has ended.
    mint: () => sts.assume({ RoleArn: arn, RoleSessionName: `s${(minted += 1)}`, DurationSeconds: 8 }, request()),
    refused: () => {},
  });
  onTestFinished(() => server.close());
  const ran = await runChild(aws.address, store.nameOf("s"), server.uri, 20_000);
  expect(ran.failures).toEqual([]);
  expect(ran.keys).toBeGreaterThanOrEqual(3);
  server.close();
  await expect(ask(server)).rejects.toThrow(/ECONNREFUSED|socket hang up|ECONNRESET/);
});

async function runChild(endpoint: string, name: string, uri: string, milliseconds: number) {
  const home = mkdtempSync(join(tmpdir(), "aws-child-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const program = join(import.meta.dirname, "container-child.mjs");
  const env = {
    HOME: home,
    PATH: process.env["PATH"],
    AWS_CONTAINER_CREDENTIALS_FULL_URI: uri,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: TOKEN,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [program, endpoint, name, String(milliseconds)], {
    env,
  });
  return JSON.parse(stdout) as { keys: number; failures: string[] };
}

test("a launch is given where to ask and with what, each its own; its end closes it", async () => {
  const settings = { roles: { r: { arn: "arn:aws:iam::000000000000:role/r", deliver: "container-credentials" } } };
  const provider = testStore({ address: "http://127.0.0.1:1", settings }).open();
  const wanted = ["credentials_uri", "authorization_token"].map((field) =>
    parseRef(`mcp-secret://prod/role/r#${field}`),
  );
  const journals = [memoryJournal(), memoryJournal()];
  const scopes = await Promise.all(
    journals.map((journal, at) => provider.scope({ id: `l${at}`, entry: "c/s" }, request(), journal)),
  );
  const given = await Promise.all(scopes.map((scope) => scope.resolve(wanted, request())));
  const texts = given.map((resolved) => resolved.map(({ value }) => value.expose()));
  expect(new Set(texts.flat()).size).toBe(4);
  expect(texts[0]).toEqual([
    expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/credentials$/),
    expect.stringMatching(/^Bearer [0-9a-f]{64}$/),
  ]);
  expect(given[0]?.[0]?.lease).toMatchObject({ expiresAt: Infinity, renewable: false });
  const [uri = ""] = texts[0] ?? [];
  const foreign = { headers: { authorization: texts[1]?.[1] ?? "" } };
  expect((await ask({ uri, close: () => {} }, foreign)).status).toBe(401);
  expect(journals[0]?.events).toEqual([
    "intent",
    "leased container role/r",
    "refused credentials of prod/role/r: the token was wrong",
  ]);
  await scopes[0]?.end([], request());
  await expect(ask({ uri, close: () => {} })).rejects.toThrow();
  await scopes[1]?.end([], request());
});

test("outside a launch nothing is served, and such a role gives no keys", async () => {
  const settings = { roles: { r: { arn: "arn:aws:iam::000000000000:role/r", deliver: "container-credentials" } } };
  const provider = testStore({ address: "http://127.0.0.1:1", settings }).open();
  const asking = provider.resolve([parseRef("mcp-secret://prod/role/r#credentials_uri")], request());
  await expect(asking).rejects.toMatchObject({ code: "refused" });
  const scope = await provider.scope({ id: "l", entry: "c/s" }, request(), memoryJournal());
  const keys = scope.resolve([parseRef("mcp-secret://prod/role/r#access_key_id")], request());
  await expect(keys).rejects.toMatchObject({ code: "secret-not-found" });
});
