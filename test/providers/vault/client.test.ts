import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createClient, escapePath } from "../../../providers/vault/client.ts";
import type { Call } from "../../../providers/vault/exchange.ts";
import type { Patience, Sent, Transport } from "../../../providers/vault/transport.ts";
import { Secret } from "../../../src/core/secret.ts";

/** The contract with node-vault 0.12.0: an undocumented hook, so that every new version must pass here first. */
function recorded(answer: Partial<Sent> = {}, namespace?: string) {
  const calls: Call[] = [];
  const sent: Sent = {
    status: 200,
    body: {},
    index: undefined,
    retryAfter: undefined,
    location: undefined,
    what: "",
    said: "",
    repeated: false,
    ...answer,
  };
  const transport: Transport = {
    send: (call) => {
      calls.push(call);
      return Promise.resolve(sent);
    },
    close: () => {},
  };
  return { calls, client: createClient(transport, namespace), sent };
}

const ask = (token?: string): Patience & { token?: Secret } => ({
  deadline: 1,
  repeatable: true,
  ...(token !== undefined && { token: new Secret(token) }),
});

describe("the hook of node-vault", () => {
  test("carries method, path, body and headers of the four verbs", async () => {
    const { calls, client } = recorded();
    await client.read("secret/data/x", ask("t"), { version: "2" });
    await client.write("secret/data/x", { data: { value: "v" } }, ask("t"));
    await client.list("secret/metadata", ask("t"));
    await client.delete("secret/metadata/x", ask("t"));
    expect(calls.map(({ method, path, body }) => [method, path, body])).toEqual([
      ["GET", "/v1/secret/data/x?version=2", undefined],
      ["POST", "/v1/secret/data/x", '{"data":{"value":"v"}}'],
      ["LIST", "/v1/secret/metadata", undefined],
      ["DELETE", "/v1/secret/metadata/x", undefined],
    ]);
    expect(calls.map(({ headers }) => headers)).toEqual(
      Array.from({ length: 4 }, () => ({ "X-Vault-Request": "true", "X-Vault-Token": "t" })),
    );
  });

  test("hands every status through unjudged, that of sys/health and 202 too", async () => {
    for (const status of [202, 204, 400, 403, 404, 500]) {
      const { client, sent } = recorded({ status });
      expect(await client.read("sys/health", ask())).toEqual(sent);
      expect(await client.write("auth/x/login", {}, ask())).toEqual(sent);
    }
  });

  test("keeps no token: the next call goes with its own, or with none", async () => {
    const answer = { body: { auth: { client_token: "child" } } };
    const { calls, client } = recorded(answer, "team-a");
    await client.write("auth/token/create", {}, ask("first"));
    await client.read("secret/x", ask("second"));
    await client.read("secret/x", ask());
    expect(calls.map(({ headers }) => headers["X-Vault-Token"])).toEqual(["first", "second", undefined]);
    expect(new Set(calls.map(({ headers }) => headers["X-Vault-Namespace"]))).toEqual(new Set(["team-a"]));
  });

  test("sends nothing that is not said: no options, no paths, no certificates in the body", async () => {
    const { calls, client } = recorded();
    await client.write("auth/token/revoke-self", {}, { ...ask("t"), wrapTtl: 60 });
    expect(calls[0]).toEqual({
      method: "POST",
      path: "/v1/auth/token/revoke-self",
      headers: { "X-Vault-Request": "true", "X-Vault-Token": "t", "X-Vault-Wrap-TTL": "60s" },
      body: "{}",
    });
  });

  test("a read after a write carries the write's index", async () => {
    const { calls, client } = recorded({ index: "index-of-the-write" });
    await client.write("secret/data/x", {}, ask());
    await client.read("secret/data/x", ask());
    expect(calls[0]?.headers["X-Vault-Index"]).toBeUndefined();
    expect(calls[1]?.headers).toMatchObject({
      "X-Vault-Index": "index-of-the-write",
      "X-Vault-Inconsistent": "forward-active-node",
    });
  });

  test("a failure of the transport comes out as it went in", async () => {
    const failure = new Error("the transport's own");
    const client = createClient({ send: () => Promise.reject(failure), close: () => {} }, undefined);
    await expect(client.read("secret/x", ask("t"))).rejects.toBe(failure);
  });
});

describe("paths", () => {
  test.each([
    "../sys/seal",
    "secret/../../sys/seal",
    "secret//x",
    "/secret",
    "secret/",
    "",
    ".",
    "a/./b",
    "a?b",
    "a#b",
    "a%2e%2e",
    "a\\b",
    "a\nb",
  ])("%j is refused before anything is sent", async (path) => {
    const { calls, client } = recorded();
    await expect(client.read(path, ask("t"))).rejects.toMatchObject({ code: "reference-invalid" });
    expect(calls).toEqual([]);
  });

  test("what is sent leads to the same segments again, and nowhere else", () => {
    const segment = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
        const path = segments.join("/");
        let escaped: string;
        try {
          escaped = escapePath(path);
        } catch {
          return;
        }
        const url = new URL(`http://h/v1/${escaped}`);
        expect(url.search + url.hash).toBe("");
        expect(url.pathname.slice("/v1/".length).split("/").map(decodeURIComponent)).toEqual(path.split("/"));
      }),
    );
  });

  test("names with marks of HTML are not mangled", async () => {
    const { calls, client } = recorded();
    await client.read("secret/a'b&#x2F;c".replace("#", ""), ask());
    expect(calls[0]?.path).toBe("/v1/secret/a'b%26x2F%3Bc");
  });
});
