import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { HttpCall } from "../../src/core/http.ts";
import { createHttp } from "../../src/io/http.ts";
import { selfSigned } from "../servers/certificate.ts";
import { startFake } from "../servers/fake-vault.ts";

const http = createHttp(Date.now);

function ask(address: string, more: Partial<HttpCall> = {}) {
  return http({ method: "GET", url: `${address}/x`, headers: {}, deadline: Date.now() + 5_000, ...more });
}

async function answered(react: (response: ServerResponse) => void, more: Partial<HttpCall> = {}) {
  await using server = await startFake((_, response) => react(response));
  return await ask(server.address, more);
}

test("gives status, media type and text", async () => {
  const answer = await answered((response) => {
    response.writeHead(201, { "content-type": "Application/JSON; charset=utf-8" }).end(`{"a":"é"}`);
  });
  expect(answer).toEqual({ type: "answer", status: 201, mediaType: "application/json", text: `{"a":"é"}` });
});

test("sends method, headers and body as they are", async () => {
  await using server = await startFake((_, response) => void response.end());
  await ask(server.address, { method: "PUT", headers: { "x-key": "k" }, body: "é" });
  expect(server.seen).toMatchObject([{ method: "PUT", path: "/x", body: "é", headers: { "x-key": "k" } }]);
  expect(server.seen[0]?.headers["accept-encoding"]).toBe("identity");
});

test("follows no redirect", async () => {
  await using other = await startFake((_, response) => void response.end("stolen"));
  const answer = await answered((response) => void response.writeHead(302, { location: other.address }).end(), {
    headers: { authorization: "Bearer x" },
  });
  expect(answer).toMatchObject({ type: "answer", status: 302 });
  expect(other.seen).toEqual([]);
});

test("takes nothing that is compressed, and no more than a megabyte", async () => {
  const packed = await answered((response) => {
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("x".repeat(1e6)));
  });
  expect(packed).toMatchObject({ type: "failure", kind: "garbage", sent: true });
  const large = await answered((response) => void response.end("x".repeat(1_100_000)));
  expect(large).toMatchObject({ type: "failure", kind: "garbage", sent: true });
});

test("what is no HTTP, breaks off or never comes may have been done; a refused connection cannot", async () => {
  const broken = await answered((response) => void response.socket?.end("nonsense\r\n\r\n"));
  expect(broken).toMatchObject({ type: "failure", kind: "garbage", sent: true });
  const cut = await answered((response) => {
    response.writeHead(200, { "content-length": "100" }).write("x");
    setImmediate(() => response.socket?.destroy());
  });
  expect(cut).toMatchObject({ type: "failure", kind: "network", sent: true });
  const silent = await answered(() => {}, { deadline: Date.now() + 200 });
  expect(silent).toMatchObject({ type: "failure", kind: "timeout", sent: true });
  expect(await ask("http://127.0.0.1:1")).toEqual({
    type: "failure",
    kind: "network",
    reason: "ECONNREFUSED",
    sent: false,
  });
  expect(await ask("http://127.0.0.1:1", { deadline: 0 })).toMatchObject({ kind: "timeout", sent: false });
});

test("a signal ends the wait", async () => {
  const controller = new AbortController();
  const waiting = answered(() => controller.abort(), { signal: controller.signal });
  expect(await waiting).toMatchObject({ type: "failure", kind: "timeout", sent: true });
  expect(await ask("http://127.0.0.1:1", { signal: AbortSignal.abort() })).toMatchObject({ kind: "timeout" });
});

test("an unknown certificate is refused before anything is sent, whatever the environment says", async () => {
  const tls = selfSigned("localhost", ["subjectAltName=IP:127.0.0.1"]);
  await using server = await startFake((_, response) => void response.end("{}"), tls);
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  const refused = await ask(server.address);
  delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  expect(refused).toMatchObject({ type: "failure", kind: "untrusted", sent: false });
  expect(server.seen).toEqual([]);
  expect(await ask(server.address, { ca: tls.cert })).toMatchObject({ type: "answer", status: 200 });
});

test("plain text goes to this machine only", () => {
  expect(() => ask("http://example.com")).toThrow("neither https");
});
