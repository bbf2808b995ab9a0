import { gzipSync } from "node:zlib";
import { inspect } from "node:util";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createClient } from "../../../providers/vault/client.ts";
import { plainWire } from "../../../providers/vault/exchange.ts";
import { createTransport } from "../../../providers/vault/transport.ts";
import { Secret } from "../../../src/core/secret.ts";
import { type FakeVault, json, type Reaction, startFake } from "../../servers/fake-vault.ts";
import { failureOf, valuesOf } from "../parts.ts";
import { rootStore } from "./store.ts";

const TOKEN = 'hvs.canary"\\/@+=token';
const REF = "mcp-secret://team/kv/x";
/** Made before anybody waits for it. */
const BOMB = gzipSync(Buffer.alloc(50_000_000, " "));

afterEach(() => vi.unstubAllEnvs());

async function fake(react: Reaction): Promise<FakeVault> {
  const server = await startFake(react);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** A client of the given nodes; `milliseconds` is what one call may take in all. */
function clientOf(
  addresses: readonly string[],
  { milliseconds = 10_000, perTry = 3_000, namespace = undefined as string | undefined } = {},
) {
  const wires = addresses.map(plainWire);
  const transport = createTransport({ store: "team", wires, now: Date.now, chance: () => 0 });
  onTestFinished(() => transport.close());
  const client = createClient(transport, namespace);
  const ask = (repeatable = true, signal?: AbortSignal) => ({
    token: new Secret(TOKEN),
    deadline: Date.now() + milliseconds,
    repeatable,
    perTry,
    signal,
  });
  return { client, ask };
}

const found = { data: { data: { value: "v" }, metadata: { version: 1 } } };

describe("what is no answer", () => {
  const cases: [string, string, Reaction][] = [
    [
      "HTML with status 200",
      "store-answer",
      (_, to) => to.writeHead(200, { "content-type": "text/html" }).end("<html>"),
    ],
    [
      "HTML called JSON",
      "store-answer",
      (_, to) => to.writeHead(200, { "content-type": "application/json" }).end("<html>"),
    ],
    ["no content type", "store-answer", (_, to) => to.writeHead(200).end("{}")],
    [
      "a gzip bomb",
      "store-answer",
      (_, to) => to.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(BOMB),
    ],
    [
      "an endless body",
      "store-answer",
      (_, to) => {
        to.writeHead(200, { "content-type": "application/json" });
        const more = () => void (to.destroyed || to.write(Buffer.alloc(65_536, " "), () => setImmediate(more)));
        more();
      },
    ],
    ["JSON of another shape", "store-answer", (_, to) => json(to, 200, { data: ["x"] })],
    ["JSON that is no object", "store-answer", (_, to) => json(to, 200, "x")],
    ["an unknown status", "store-answer", (_, to) => json(to, 202, found)],
    ["a fault of the server", "store-unavailable", (_, to) => json(to, 500, { errors: ["boom"] })],
    ["a closed connection", "store-unavailable", (_, to) => to.destroy()],
    ["a busy server", "store-busy", (_, to) => json(to, 429, { errors: ["rate limit quota exceeded"] })],
    ["a hang", "store-timeout", () => {}],
    [
      "a body that never ends",
      "store-timeout",
      (_, to) => to.writeHead(200, { "content-type": "application/json" }).write("{"),
    ],
    ["a refusal", "store-denied", (_, to) => json(to, 403, { errors: ["permission denied"] })],
    ["nothing there", "secret-not-found", (_, to) => json(to, 404, { errors: [] })],
  ];

  test.each(cases)("%s ends in its own code, with a hint, in time, and says nothing secret", async (_, code, react) => {
    const server = await fake(react);
    const store = rootStore({ address: server.address } as never);
    store.file(".vault-token", TOKEN);
    const provider = await store.open();
    const failure = await failureOf(async () =>
      provider.resolve([{ store: "team", path: "kv/x" }], { deadline: Date.now() + 1_500 }),
    );
    expect(failure.code).toBe(code);
    expect(failure.hint).toBeDefined();
    const shown = `${inspect(failure, { depth: 20, showHidden: true })}${JSON.stringify(failure)}${failure.stack}`;
    expect(shown).not.toContain("canary");
  });

  test("a node that nobody listens at", async () => {
    const server = await startFake(() => {});
    await server[Symbol.asyncDispose]();
    const { client, ask } = clientOf([server.address], { milliseconds: 600 });
    expect(await failureOf(() => client.read("secret/x", ask()))).toMatchObject({
      code: "store-unavailable",
      message: expect.stringContaining("ECONNREFUSED (GET /v1/secret/x)"),
    });
  });

  test("what the server says is told in one line, and what we sent is not said back", async () => {
    const errors = [`bad token ${TOKEN}`, 'no "s3cret-canary"\n\tsecond\u001b[31m line'];
    const server = await fake((_, to) => json(to, 403, { errors }));
    const { client, ask } = clientOf([server.address]);
    const reply = await client.write("secret/x", { value: "s3cret-canary" }, ask());
    expect(reply.said).toBe('bad token [secret]; no "[secret]" second [31m line');
  });
});

describe("redirects", () => {
  test("one to a host that is not ours is refused, and that host sees nothing", async () => {
    const capture = await fake((_, to) => json(to, 200, found));
    for (const status of [301, 302, 303, 307, 308]) {
      const server = await fake((seen, to) =>
        json(to, status, undefined, { location: `${capture.address}${seen.path}` }),
      );
      const { client, ask } = clientOf([server.address]);
      const failure = await failureOf(() => client.write("secret/data/x", { data: { value: "v" } }, ask()));
      expect(failure).toMatchObject({
        code: "store-untrusted",
        hint: expect.stringContaining("stores.team.addresses"),
      });
    }
    expect(capture.connections()).toBe(0);
  });

  test("a 307 to another node of the cluster is followed, with the same body; to another path it is not", async () => {
    const leader = await fake((_, to) => json(to, 200, { data: { version: 2 } }));
    const standby = await fake((seen, to) => json(to, 307, undefined, { location: `${leader.address}${seen.path}` }));
    const { client, ask } = clientOf([standby.address, leader.address]);
    expect((await client.write("secret/data/x", { data: { value: "v" } }, ask())).status).toBe(200);
    expect(leader.seen.map(({ method, body }) => [method, body])).toEqual([["POST", '{"data":{"value":"v"}}']]);
    const astray = await fake((_, to) => json(to, 307, undefined, { location: `${leader.address}/v1/sys/seal` }));
    const other = clientOf([astray.address, leader.address]);
    expect((await failureOf(() => other.client.write("secret/data/x", {}, other.ask()))).code).toBe("store-untrusted");
  });

  test("nodes that point to each other do not go round for ever", async () => {
    const addresses: string[] = [];
    const react =
      (other: number): Reaction =>
      (seen, to) =>
        json(to, 307, undefined, { location: `${addresses[other]}${seen.path}` });
    const nodes = [await fake(react(1)), await fake(react(0))];
    addresses.push(...nodes.map(({ address }) => address));
    const { client, ask } = clientOf(addresses);
    expect((await failureOf(() => client.read("secret/x", ask()))).code).toBe("store-untrusted");
    expect(nodes.flatMap(({ seen }) => seen).length).toBeLessThan(10);
  });
});

describe("tries", () => {
  test("a read is tried again after a fault, a closed connection and a 429 that says when", async () => {
    const faults: Reaction[] = [
      (_, to) => json(to, 500, { errors: ["local node not active but active cluster node not found"] }),
      (_, to) => to.destroy(),
      (_, to) => json(to, 429, { errors: [] }, { "retry-after": "0" }),
      (_, to) => json(to, 200, found),
    ];
    const server = await fake((seen, to, number) => faults[number - 1]?.(seen, to, number));
    const { client, ask } = clientOf([server.address]);
    expect(await client.read("secret/data/x", ask())).toMatchObject({ status: 200, repeated: true });
    expect(server.seen).toHaveLength(4);
  });

  test("what must not be done twice is tried again only if it cannot have been seen", async () => {
    const server = await fake((_, to) => to.destroy());
    const { client, ask } = clientOf([server.address]);
    await failureOf(() => client.write("auth/approle/login", {}, ask(false)));
    expect(server.seen).toHaveLength(1);
    const dead = await startFake(() => {});
    await dead[Symbol.asyncDispose]();
    const live = await fake((_, to) => json(to, 200, { auth: {} }));
    const other = clientOf([dead.address, live.address]);
    expect((await other.client.write("auth/approle/login", {}, other.ask(false))).status).toBe(200);
  });

  test("a refusal is final at once", async () => {
    for (const status of [400, 401, 403, 404, 405]) {
      const server = await fake((_, to) => json(to, status, { errors: ["no"] }));
      const { client, ask } = clientOf([server.address]);
      expect((await client.read("secret/x", ask())).status).toBe(status);
      expect(server.seen).toHaveLength(1);
    }
  });

  test("a sealed node is asked once, and another node instead", async () => {
    const sealed = await fake((_, to) => json(to, 503, { errors: ["Vault is sealed"] }));
    const open = await fake((_, to) => json(to, 200, found));
    const both = clientOf([sealed.address, open.address]);
    expect((await both.client.read("secret/x", both.ask())).status).toBe(200);
    const { client, ask } = clientOf([sealed.address]);
    expect((await failureOf(() => client.read("secret/x", ask()))).code).toBe("store-sealed");
    expect(sealed.seen).toHaveLength(2);
  });

  test("a hanging node costs one try, and the next node answers", async () => {
    const hangs = await fake(() => {});
    const answers = await fake((_, to) => json(to, 200, found));
    const { client, ask } = clientOf([hangs.address, answers.address], { perTry: 100 });
    expect((await client.read("secret/x", ask())).status).toBe(200);
  });

  test("the caller's signal ends it", async () => {
    const server = await fake(() => {});
    const { client, ask } = clientOf([server.address]);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    expect(await failureOf(() => client.read("secret/x", ask(true, controller.signal)))).toMatchObject({
      code: "store-timeout",
      message: expect.stringContaining("given up"),
    });
    expect((await failureOf(() => client.read("secret/x", ask(true, AbortSignal.abort())))).code).toBe("store-timeout");
  });

  test("calls of one launch go over one connection", async () => {
    const server = await fake((_, to) => json(to, 200, found));
    const { client, ask } = clientOf([server.address]);
    for (let call = 0; call < 10; call++) await client.read("secret/x", ask());
    expect(server.connections()).toBe(1);
  });
});

describe("the environment", () => {
  test("has no say: not proxies, not VAULT_*, not DEBUG", async () => {
    const proxy = await fake((_, to) => json(to, 200, found));
    const server = await fake((_, to) => json(to, 200, found));
    for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "VAULT_ADDR", "BAO_ADDR"])
      vi.stubEnv(name, proxy.address);
    vi.stubEnv("VAULT_TOKEN", "hvs.from-the-environment");
    vi.stubEnv("VAULT_NAMESPACE", "foreign");
    vi.stubEnv("VAULT_PREFIX", "/prefix");
    vi.stubEnv("VAULT_SKIP_VERIFY", "false");
    const { client, ask } = clientOf([server.address]);
    await client.read("secret/data/x", ask());
    await client.read("secret/data/x", { deadline: Date.now() + 5_000, repeatable: true });
    expect(proxy.connections()).toBe(0);
    expect(
      server.seen.map(({ path, headers }) => [path, headers["x-vault-token"], headers["x-vault-namespace"]]),
    ).toEqual([
      ["/v1/secret/data/x", TOKEN, undefined],
      ["/v1/secret/data/x", undefined, undefined],
    ]);
  });

  test("a store on http needs this machine: there is no default address", async () => {
    const store = rootStore({ address: "http://127.0.0.1" } as never);
    const settings = store.options.settings as Record<string, unknown>;
    for (const addresses of [undefined, [], "http://vault.example:8200", "https://u:p@vault.example", "https://x/y"]) {
      Object.assign(store.options, { settings: { ...settings, addresses } });
      expect((await failureOf(() => store.open())).code).toBe("config-invalid");
    }
  });
});

test("a static token, one read: one request, and nothing else", async () => {
  const server = await fake((_, to) => json(to, 200, found));
  const store = rootStore({ address: server.address } as never);
  expect(await valuesOf(await store.open(), REF, `${REF}#value`)).toEqual(["v", "v"]);
  expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(["GET /v1/secret/data/x"]);
});
