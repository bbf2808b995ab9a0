import { createHash } from "node:crypto";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { UserError } from "../../../src/errors.ts";
import { selfSigned } from "../../servers/certificate.ts";
import { type Fault, startStrictSecrets, type StrictSecrets } from "../../servers/strict-secrets.ts";
import { failureOf, request, secrets } from "../parts.ts";
import { testStore, writeIn } from "./store.ts";

let aws: StrictSecrets;
beforeEach(async () => void (aws = await startStrictSecrets()));
afterEach(() => aws[Symbol.asyncDispose]());

const REF = { store: "prod", path: "a" };

/** What a read ends in when every request meets the fault. */
async function readingWith(fault: Fault, milliseconds = 2000): Promise<UserError> {
  aws.fault = () => fault;
  const provider = testStore({ address: aws.address }).open();
  return failureOf(() => provider.resolve([REF], request(milliseconds)));
}

function error(name: string, message?: string, status = 400): Fault {
  return { type: "error", name, status, ...(message !== undefined && { message }) };
}

describe("each failure has its code, its exit and its hint", () => {
  test.each<[string, Fault, string, number, string]>([
    ["missing", error("ResourceNotFoundException"), "secret-not-found", 69, "mcp-secrets list"],
    [
      "to be deleted",
      error("InvalidRequestException", "You can't perform this operation because it was marked for deletion."),
      "secret-deleted",
      69,
      "aws secretsmanager restore-secret",
    ],
    ["denied", error("AccessDeniedException", "not authorized to perform: x"), "store-denied", 77, "store check prod"],
    [
      "key not ours",
      error("AccessDeniedException", "Access to KMS is not allowed"),
      "store-key",
      69,
      "aws kms describe-key",
    ],
    ["key disabled", error("DecryptionFailure", "the key is disabled"), "store-key", 69, "aws kms describe-key"],
    [
      "replica",
      error("InvalidRequestException", "Operation not permitted on a replica secret."),
      "refused",
      77,
      "primary region",
    ],
    ["unknown key id", error("UnrecognizedClientException"), "store-login", 77, "aws configure"],
    ["wrong signature", error("InvalidSignatureException", "does not match", 403), "store-login", 77, "aws configure"],
    ["expired session", error("ExpiredTokenException"), "store-login", 77, "aws sso login"],
    [
      "wrong clock",
      error("InvalidSignatureException", "Signature expired: 1 is now earlier than 2"),
      "store-login",
      77,
      "clock",
    ],
    [
      "clock too far off",
      error("RequestTimeTooSkewed", "The difference is too large", 403),
      "store-login",
      77,
      "clock",
    ],
    ["throttled", error("ThrottlingException"), "store-busy", 75, "in a few seconds"],
    ["too many", error("TooManyRequestsException", "slow down", 429), "store-busy", 75, "in a few seconds"],
    ["its own fault", error("InternalServiceError", "oops", 500), "store-unavailable", 69, "store check prod"],
    ["quota", error("LimitExceededException"), "cannot-write", 73, "quota"],
    ["reset", { type: "reset" }, "store-unavailable", 69, "store check prod"],
    ["hanging", { type: "hang" }, "store-timeout", 69, "store check prod"],
    ["a login page", { type: "html" }, "store-answer", 69, "stores.prod.endpoint"],
  ])("%s", async (_, fault, code, exit, hint) => {
    const found = await readingWith(fault);
    expect([found.code, found.exit]).toEqual([code, exit]);
    expect(found.hint).toContain(hint);
    expect(found.cause).toBeUndefined();
  });
});

test("a failure that passes is waited out, and one that does not is not tried again", async () => {
  const store = testStore({ address: aws.address, options: { chance: () => 0.999 } });
  const provider = store.open();
  await provider.put("a", secrets({ value: "x" }), { ifVersion: 0 });
  const passing: Fault[] = [error("ThrottlingException"), error("InternalServiceError", "", 500), { type: "reset" }];
  const before = aws.asked.length;
  aws.fault = (_, number) => passing[number - before - 1];
  const [found] = await provider.resolve([REF], request());
  expect([found?.value.expose(), aws.asked.length - before]).toEqual(["x", 4]);
  aws.fault = () => error("AccessDeniedException");
  await failureOf(() => provider.resolve([REF], request()));
  expect(aws.asked.length - before).toBe(5);
});

test.each([20, -20])("a clock that is %i minutes off is set right by what the service says", async (minutes) => {
  aws.ahead = minutes * 60_000;
  const provider = testStore({ address: aws.address, options: { chance: () => 0.999 } }).open();
  await provider.put("a", secrets({ value: "x" }), { ifVersion: 0 });
  const [found] = await provider.resolve([REF], request());
  expect(found?.value.expose()).toBe("x");
  // One try of the first request is refused; the others come with the service's time.
  expect(aws.asked.map(({ operation }) => operation)).toEqual(["CreateSecret", "CreateSecret", "GetSecretValue"]);
});

test("the deadline bounds all tries together", async () => {
  const found = await readingWith({ type: "hang" }, 600);
  expect(found.code).toBe("store-timeout");
});

test("nobody listens there", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const provider = testStore({ address: `http://127.0.0.1:${port}` }).open();
  const found = await failureOf(() => provider.resolve([REF], request(2000)));
  expect([found.code, found.message]).toEqual(["store-unavailable", expect.stringContaining("ECONNREFUSED")]);
});

test("a certificate that nobody vouches for", async () => {
  const server = createTlsServer(selfSigned("localhost", ["subjectAltName=IP:127.0.0.1"]), (_, answer) => answer.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const provider = testStore({ address: `https://127.0.0.1:${port}` }).open();
  const found = await failureOf(() => provider.resolve([REF], request(2000)));
  server.closeAllConnections();
  server.close();
  expect([found.code, found.exit]).toEqual(["store-untrusted", 77]);
});

test("a server that says back what it was sent tells nobody the value", async () => {
  aws.fault = ({ input }) => error("InvalidParameterException", `cannot take ${JSON.stringify(input)}`);
  const provider = testStore({ address: aws.address }).open();
  const write = () => provider.put("a", secrets({ user: "app-user", password: 'canary"value' }), { ifVersion: 0 });
  const found = await failureOf(write);
  expect(found.message).toContain("CreateSecret");
  for (const part of ["canary", "app-user"]) expect(`${found.message} ${found.hint}`).not.toContain(part);
});

describe("a write whose answers are lost", () => {
  test.each([0, 1, 2, 3, 4])("from request %i on, once, is done once", async (at) => {
    const provider = testStore({ address: aws.address, options: { chance: () => 0.999 } }).open();
    const write = (value: string, ifVersion: number) => provider.put("a", secrets({ value }), { ifVersion });
    await write("first", 0);
    const before = aws.asked.length;
    aws.fault = (_, number) => (number - before - 1 === at ? { type: "lost" } : undefined);
    expect(await write("second", 1)).toBe(2);
    expect(statesOf(aws)).toEqual([
      ["first", ["AWSPREVIOUS"]],
      ["second", ["AWSCURRENT"]],
    ]);
  });

  test("create is repeated without a second version", async () => {
    const provider = testStore({ address: aws.address }).open();
    aws.fault = (_, number) => (number === 1 ? { type: "lost" } : undefined);
    expect(await provider.put("a", secrets({ value: "x" }), { ifVersion: 0 })).toBe(1);
    expect(statesOf(aws)).toEqual([["x", ["AWSCURRENT"]]]);
  });
});

test.each([0, 1, 2, 3])(
  "a crash before request %i of an update: the value is the old or the new, and again heals",
  async (at) => {
    const store = testStore({ address: aws.address });
    const write = (value: string, ifVersion: number) => store.open().put("a", secrets({ value }), { ifVersion });
    await write("first", 0);
    const before = aws.asked.length;
    // Every request from here on meets a dead network: as good as dead ourselves.
    aws.fault = (_, number) => (number - before - 1 >= at ? error("AccessDeniedException") : undefined);
    await write("second", 1).catch(() => {});
    aws.fault = () => undefined;
    const [found] = await store.open().resolve([REF], request());
    expect(["first", "second"]).toContain(found?.value.expose());
    expect(await write("second", 1)).toBe(2);
    expect(statesOf(aws)).toEqual([
      ["first", ["AWSPREVIOUS"]],
      ["second", ["AWSCURRENT"]],
    ]);
  },
);

/** Content and labels of every version that there is. */
function statesOf({ secrets: all }: StrictSecrets): [string, string[]][] {
  return [...all.values()].flatMap(({ versions }) =>
    [...versions.values()].map(({ text, labels }): [string, string[]] => [text, [...labels]]),
  );
}

test("fifty secrets are three requests", async () => {
  const provider = testStore({ address: aws.address }).open();
  const refs = Array.from({ length: 50 }, (_, at) => ({ store: "prod", path: `n${at}` }));
  await Promise.all(refs.map(({ path }) => provider.put(path, secrets({ value: path }), { ifVersion: 0 })));
  const before = aws.asked.length;
  const found = await provider.resolve(refs, request());
  expect(found.map(({ value }) => value.expose())).toEqual(refs.map(({ path }) => path));
  expect(aws.asked.slice(before).map(({ operation }) => operation)).toEqual(Array(3).fill("BatchGetSecretValue"));
});

test("a login that may not ask for groups asks one by one", async () => {
  const provider = testStore({ address: aws.address }).open();
  for (const path of ["a", "b"]) await provider.put(path, secrets({ value: path }), { ifVersion: 0 });
  aws.fault = ({ operation }) => (operation === "BatchGetSecretValue" ? error("AccessDeniedException") : undefined);
  const found = await provider.resolve([REF, { store: "prod", path: "b" }], request());
  expect(found.map(({ value }) => value.expose())).toEqual(["a", "b"]);
});

test("a read of one names the stage", async () => {
  const provider = testStore({ address: aws.address }).open();
  await provider.put("a", secrets({ value: "x" }), { ifVersion: 0 });
  await provider.resolve([REF], request());
  expect(aws.asked.at(-1)).toMatchObject({ operation: "GetSecretValue", input: { VersionStage: "AWSCURRENT" } });
});

describe("credentials", () => {
  test("a profile that is not there, and no credentials at all", async () => {
    const named = testStore({ address: aws.address, settings: { profile: "nobody" } }).open();
    const first = await failureOf(() => named.resolve([REF], request()));
    const none = testStore({ address: aws.address, settings: { profile: undefined } });
    const second = await failureOf(() => none.open().resolve([REF], request()));
    expect([first.code, second.code]).toEqual(["store-login", "store-login"]);
    expect([first.exit, first.hint]).toEqual([77, expect.stringContaining("aws configure")]);
    expect(aws.asked).toEqual([]);
  });

  const url = "https://x.awsapps.com/start";
  const start = `sso_start_url = ${url}\nsso_region = eu-central-1\n`;
  test.each([
    ["is not there", `[sso-session s]\n${start}`, "sso_session = s\n", undefined, /./],
    ["cannot be refreshed", `[sso-session s]\n${start}`, "sso_session = s\n", "s", /refresh/],
    ["has expired, of a profile of the old form", "", start, url, /expired/],
  ])("an SSO login that %s says how to log in, and nothing of its token", async (_, session, names, cached, said) => {
    const store = testStore({ address: aws.address, settings: { profile: "sso" } });
    const profile = `[profile sso]\n${names}sso_account_id = 123456789012\nsso_role_name = r\n`;
    writeIn(store.home, ".aws/config", `${session}${profile}`);
    if (cached !== undefined) {
      const expiresAt = new Date(Date.now() - 60_000).toISOString();
      const token = { accessToken: "sso-canary", expiresAt, region: "eu-central-1", startUrl: url };
      const name = createHash("sha1").update(cached).digest("hex");
      writeIn(store.home, `.aws/sso/cache/${name}.json`, JSON.stringify(token));
    }
    const found = await failureOf(() => store.open().resolve([REF], request()));
    expect([found.code, found.exit, found.hint]).toEqual(["store-login", 77, expect.stringContaining("aws sso login")]);
    expect(found.message).toMatch(said);
    expect(found.message).not.toContain("canary");
    expect(aws.asked).toEqual([]);
  });
});
