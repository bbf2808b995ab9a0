import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { type Certificate, selfSigned } from "../../servers/certificate.ts";
import { json, startFake } from "../../servers/fake-vault.ts";
import { type OpenBao, ROOT_TOKEN, startOpenBao } from "../../servers/openbao.ts";
import { failureOf, valuesOf } from "../parts.ts";
import { rootStore, testStore } from "./store.ts";

const REF = "mcp-secret://team/kv/tls";
let bao: OpenBao;
let client: Certificate;

beforeAll(async () => {
  bao = await startOpenBao({ tls: true });
  await bao.call("POST", "secret/data/tls", { data: { value: "v" } });
  client = selfSigned("mcp-client", ["extendedKeyUsage=clientAuth"]);
  await bao.call("POST", "sys/policies/acl/reader", { policy: 'path "secret/data/tls" { capabilities = ["read"] }' });
  await bao.call("POST", "sys/auth/cert", { type: "cert" });
  await bao.call("POST", "auth/cert/certs/mcp", {
    certificate: client.cert,
    allowed_common_names: "mcp-client",
    token_policies: "reader",
  });
});
afterAll(() => bao[Symbol.asyncDispose]());
afterEach(() => vi.unstubAllEnvs());

test("the server is trusted by the authority in the settings", async () => {
  expect(await valuesOf(await rootStore(bao).open(), REF)).toEqual(["v"]);
});

test("an unknown authority is refused, whatever the environment says about checks", async () => {
  vi.stubEnv("VAULT_SKIP_VERIFY", "true");
  vi.stubEnv("BAO_SKIP_VERIFY", "true");
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  const store = testStore({ settings: { addresses: bao.address, launch: "none" } });
  store.file(".vault-token", ROOT_TOKEN);
  const provider = await store.open();
  expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({
    code: "store-untrusted",
    exit: 77,
    hint: expect.stringContaining("stores.team.caFile"),
  });
});

test("a name that the certificate does not have is refused, and that server sees no token", async () => {
  const other = selfSigned("vault.example", ["subjectAltName=DNS:vault.example"]);
  const server = await startFake((_, response) => json(response, 200, {}), other);
  onTestFinished(() => server[Symbol.asyncDispose]());
  const store = testStore({ settings: { addresses: server.address, launch: "none", caFile: "~/ca.pem" } });
  store.file("ca.pem", other.cert);
  store.file(".vault-token", ROOT_TOKEN);
  const provider = await store.open();
  expect(await failureOf(() => valuesOf(provider, REF))).toMatchObject({
    code: "store-untrusted",
    message: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID"),
  });
  expect(server.seen).toEqual([]);
});

test("plain text where TLS is spoken, and TLS where plain text is", async () => {
  const plain = createServer((_, response) => response.end("{}"));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void plain.close());
  const { port } = plain.address() as AddressInfo;
  const tls = await rootStore(bao, { addresses: `https://127.0.0.1:${port}` }).open();
  expect((await failureOf(() => valuesOf(tls, REF))).code).toBe("store-untrusted");
  const http = await rootStore(bao, { addresses: bao.address.replace("https:", "http:") }).open();
  expect((await failureOf(() => valuesOf(http, REF))).code).toBe("store-answer");
});

test("a client certificate logs in; without one there is no login", async () => {
  const auth = { method: "cert", role: "mcp" };
  const store = rootStore(bao, { auth, certFile: "~/cert.pem", keyFile: "~/key.pem" });
  store.file("cert.pem", client.cert);
  store.file("key.pem", client.key);
  expect(await valuesOf(await store.open(), REF)).toEqual(["v"]);
  const without = await rootStore(bao, { auth }).open();
  expect((await failureOf(() => valuesOf(without, REF))).code).toBe("store-login");
});

test("a proxy in the settings gets a tunnel, and sees no token; one that refuses is told", async () => {
  const seen: string[] = [];
  let refuse = false;
  const proxy = createServer();
  const sockets = new Set<Socket>();
  proxy.on("connect", (asked, caller: Socket) => {
    sockets.add(caller);
    seen.push(`${asked.method} ${asked.url} ${JSON.stringify(asked.headers)}`);
    if (refuse) return caller.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const target = connect(Number(new URL(bao.address).port), "127.0.0.1", () => {
      caller.write("HTTP/1.1 200 Connection established\r\n\r\n");
      caller.on("data", (chunk: Buffer) => seen.push(chunk.toString("latin1")));
      target.pipe(caller).pipe(target);
    });
    sockets.add(target);
    return caller.on("error", () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const settings = { proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  expect(await valuesOf(await rootStore(bao, settings).open(), REF)).toEqual(["v"]);
  expect(seen[0]).toMatch(/^CONNECT 127\.0\.0\.1:\d+ /);
  expect(seen.join("")).not.toContain(ROOT_TOKEN);
  refuse = true;
  const provider = await rootStore(bao, settings).open();
  const failure = await failureOf(() =>
    provider.resolve([{ store: "team", path: "kv/tls" }], { deadline: Date.now() + 800 }),
  );
  expect(failure).toMatchObject({ code: "store-unavailable", message: expect.stringContaining("the proxy refused") });
});
