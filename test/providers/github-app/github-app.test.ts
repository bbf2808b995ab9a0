import { generateKeyPairSync } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { open } from "../../../providers/github-app/provider.ts";
import type { Lease, LaunchScope, ResolvedSecret } from "../../../src/core/provider.ts";
import { parseRef } from "../../../src/core/ref.ts";
import { UserError } from "../../../src/errors.ts";
import { findCanaries } from "../../helpers/canary.ts";
import { type FaultProxy, startFaultProxy } from "../../servers/fault-proxy.ts";
import { type GitHubServer, startGitHub } from "../../servers/github.ts";
import { memoryJournal, testStore } from "./store.ts";

let github: GitHubServer;
let proxy: FaultProxy;

beforeAll(async () => {
  github = await startGitHub();
  proxy = await startFaultProxy(github.address);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await github[Symbol.asyncDispose]();
});
beforeEach(() => {
  proxy.fault = () => undefined;
  github.tokens.clear();
  github.suspended = false;
  github.granting = undefined;
});

const LAUNCH = { id: "launch", entry: "cursor/github" };
const request = (milliseconds = 8_000) => ({ deadline: Date.now() + milliseconds });
const store = (settings: Record<string, unknown> = {}, key = github.privateKey) =>
  testStore(key, { endpoint: proxy.address, ...settings });

async function scopeOf(at = store()) {
  const journal = memoryJournal();
  const scope = await at.open().scope(LAUNCH, request(), journal);
  return { at, scope, journal };
}

function resolve(scope: LaunchScope, ...texts: string[]): Promise<readonly ResolvedSecret[]> {
  return scope.resolve(
    texts.map((text) => parseRef(`mcp-secret://gh/${text}`)),
    request(),
  );
}

const leasesOf = (found: readonly ResolvedSecret[]): Lease[] => found.flatMap(({ lease }) => lease ?? []);

async function failureOf(work: Promise<unknown>): Promise<UserError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  return expect.unreachable("it did not fail");
}

test("a launch gets a token for exactly its repositories and permissions, and gives it back", async () => {
  const { scope, journal } = await scopeOf();
  const found = await resolve(scope, "reader#token", "reader#expires_at", "writer");
  const [token = "", ends = "", other = ""] = found.map(({ value }) => value.expose());
  expect(github.tokens.get(token)).toEqual({ repositories: ["app"], permissions: { contents: "read" } });
  expect(github.tokens.get(other)).toMatchObject({ permissions: { contents: "write", issues: "write" } });
  const [first] = leasesOf(found);
  expect([Date.parse(ends), first?.renewable, scope.credential]).toEqual([first?.expiresAt, false, undefined]);
  expect(journal.events).toEqual(["intent", expect.stringMatching(/^leased [0-9a-f]{24}$/), expect.any(String)]);
  const leases = [...new Map(leasesOf(found).map((lease) => [lease.id, lease])).values()];
  expect(leases).toHaveLength(2);
  expect(await scope.end(leases, request())).toEqual({ leases: [], credentials: [] });
  expect(github.tokens.size).toBe(0);
  expect(await scope.end(leases, request())).toEqual({ leases: [], credentials: [] });
});

test("a token for all repositories is asked for only where the settings say so", async () => {
  const { scope } = await scopeOf();
  await resolve(scope, "everywhere");
  expect(github.asked.at(-1)).toEqual({ permissions: { issues: "read" } });
});

test("what a killed launch had is ended by its id; on disk it is sealed", async () => {
  const { at, scope, journal } = await scopeOf();
  const found = await resolve(scope, "reader");
  const token = found[0]?.value.expose() ?? "";
  expect(findCanaries([at.home], [token])).toEqual([]);
  const ids = journal.events.flatMap((event) => /^leased (.+)$/.exec(event)?.[1] ?? []);
  const remains = { leases: ids, credentials: [] };
  proxy.fault = () => 503;
  expect(await at.open().reap(remains, request(1_500))).toEqual(remains);
  proxy.fault = () => undefined;
  expect(await at.open().reap(remains, request())).toEqual({ leases: [], credentials: [] });
  expect([github.tokens.size, readdirSync(join(at.home, "journal/github-app"))]).toEqual([0, []]);
  const nobody = { leases: ["../../x", "0".repeat(24)], credentials: [] };
  expect(await at.open().reap(nobody, request())).toEqual({ leases: [], credentials: [] });
});

test("what a crash kept from the journal goes when its hour is over", async () => {
  const { at, scope } = await scopeOf();
  await resolve(scope, "reader");
  const nothing = { leases: [], credentials: [] };
  expect(await at.open().reap(nothing, request())).toEqual(nothing);
  expect(readdirSync(join(at.home, "journal/github-app"))).toHaveLength(1);
  const later = open({ ...at.options, now: () => Date.now() + 3_700_000 });
  await later.reap(nothing, request(4_000_000));
  expect(readdirSync(join(at.home, "journal/github-app"))).toEqual([]);
});

test("a token that has ended already is given back all the same", async () => {
  const { scope } = await scopeOf();
  const leases = leasesOf(await resolve(scope, "reader"));
  github.tokens.clear();
  expect(await scope.end(leases, request())).toEqual({ leases: [], credentials: [] });
});

test("a token that cannot be given back in time stays on the list", async () => {
  const { scope } = await scopeOf();
  const leases = leasesOf(await resolve(scope, "reader"));
  proxy.fault = () => "hang";
  expect(await scope.end(leases, request(300))).toEqual({ leases: [leases[0]?.id], credentials: [] });
});

test("a short trouble of the network or of GitHub is sat out; a lost answer is asked for once more", async () => {
  let tries = 0;
  const { scope } = await scopeOf();
  proxy.fault = () => (++tries === 1 ? 502 : undefined);
  await resolve(scope, "reader");
  expect([tries, github.tokens.size]).toEqual([2, 1]);
  proxy.fault = () => "lost";
  const asked = github.asked.length;
  const failure = await failureOf(resolve(scope, "reader"));
  expect([failure.code, github.asked.length - asked]).toEqual(["store-unavailable", 2]);
});

test("a token that may do more than was asked for is given back and refused", async () => {
  const { scope } = await scopeOf();
  for (const granting of [{ contents: "write" }, { contents: "read", administration: "read" }]) {
    github.granting = granting;
    const failure = await failureOf(resolve(scope, "reader"));
    expect([failure.code, github.tokens.size]).toEqual(["store-answer", 0]);
  }
});

test.each([
  ["another key", {}, "store-login"],
  ["another app", { app: "Iv1.other" }, "store-login"],
  ["another installation", { installation: 1 }, "store-login"],
  ["a repository that is not the installation's", { tokens: { reader: repo("other") } }, "refused"],
  ["a permission that it has not", { tokens: { reader: repo("app", "admin") } }, "refused"],
])("%s is refused", async (what, settings, code) => {
  const key = what === "another key" ? anotherKey() : github.privateKey;
  const { scope } = await scopeOf(store(settings, key));
  expect((await failureOf(resolve(scope, "reader"))).code).toBe(code);
  expect(github.tokens.size).toBe(0);
});

function anotherKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function repo(name: string, contents = "read") {
  return { repositories: [name], permissions: { contents } };
}

test("a suspended installation, and a server that is none of GitHub's, are told apart", async () => {
  const { scope } = await scopeOf();
  github.suspended = true;
  expect((await failureOf(resolve(scope, "reader"))).code).toBe("store-denied");
  const nowhere = await scopeOf(store({ endpoint: "http://127.0.0.1:1" }));
  expect((await failureOf(nowhere.scope.resolve([parseRef("mcp-secret://gh/reader")], request(600)))).code).toBe(
    "store-unavailable",
  );
});

test("a key that is none is said to be none, and not shown", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (const key of ["hunter2-hunter2", privateKey.export({ type: "sec1", format: "pem" }).toString()]) {
    const { scope } = await scopeOf(store({}, key));
    const failure = await failureOf(resolve(scope, "reader"));
    expect([failure.code, failure.message]).toEqual([
      "store-login",
      "store gh: the private key of the app is no RSA key in PEM",
    ]);
  }
});

test("a key in one line is one", async () => {
  const { scope } = await scopeOf(store({}, github.privateKey.replaceAll("\n", "\\n")));
  await resolve(scope, "reader");
  expect(github.tokens.size).toBe(1);
});

test("a path or a field that is not there is found out before anything is made", async () => {
  const { scope, journal } = await scopeOf();
  for (const text of ["other", "reader#password", "reader/more"]) {
    expect((await failureOf(resolve(scope, "writer", text))).code).toBe("secret-not-found");
  }
  expect([github.tokens.size, journal.events]).toEqual([0, []]);
});

test("outside a launch a token is made as well, and is nobody's lease", async () => {
  const [found] = await store()
    .open()
    .resolve([parseRef("mcp-secret://gh/reader#token")], request());
  expect([github.tokens.has(found?.value.expose() ?? ""), found?.lease]).toEqual([true, undefined]);
});

test("store check names what the installation lacks, and makes nothing", async () => {
  const tokens = { good: repo("app"), bad: repo("app", "admin") };
  const findings = await store({ tokens }).open().check(request());
  expect(findings.map(({ ok, what }) => [ok, what])).toEqual([
    [true, "logged in as the app mcp-tools"],
    [true, "installation 4242 at acme"],
    [true, "token good: the installation has what it asks for"],
    [false, "token bad: the installation has not contents: admin"],
  ]);
  expect(github.tokens.size).toBe(0);
  const [failed] = await store({ installation: 1 }).open().check(request());
  expect(failed).toMatchObject({ ok: false, remedy: expect.stringContaining("stores.gh.installation") });
});

test("the least rights are named by path", () => {
  const refs = [parseRef("mcp-secret://gh/writer#token"), parseRef("mcp-secret://gh/everywhere")];
  expect(store().open().policyFor("github", refs)).toBe(
    "# everywhere: all repositories\n  issues: read\n# writer: app, site\n  contents: write\n  issues: write\n",
  );
});

test("settings are read strictly", () => {
  const wrong: readonly Record<string, unknown>[] = [
    { tokens: { a: { permissions: { contents: "read" } } } },
    { tokens: { a: { repositories: ["x"] } } },
    { tokens: { a: { repositories: ["owner/x"], permissions: { contents: "read" } } } },
    { tokens: { a: { repositories: ["x"], permissions: { contents: "own" } } } },
    { tokens: { a: { repositories: ["x"], allRepositories: true, permissions: { contents: "read" } } } },
    { key: "mcp-secret://team/kv/key" },
    { endpoint: "http://github.example/api/v3" },
    { endpoint: "https://github.example/api?x" },
    { installation: "1" },
    { repositories: ["x"] },
  ];
  for (const settings of wrong) {
    expect(() => store(settings).open()).toThrow(expect.objectContaining({ code: "config-invalid" }));
  }
  expect(() => store({ endpoint: "https://github.example/api/v3" }).open()).not.toThrow();
});
