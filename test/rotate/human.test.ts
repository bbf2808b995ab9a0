import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { createHttp } from "../../src/io/http.ts";
import type { TargetOptions } from "../../src/rotate/target.ts";
import { askedFields, canTest, open } from "../../src/rotate/targets/human.ts";
import { VENDORS } from "../../src/rotate/targets/pages.ts";

const ref = parseRef("mcp-secret://local/shop/key");
const fields = (value: string) => ({ value: new Secret(value) });
const request = (deadline = Date.now() + 5000) => ({ id: "a".repeat(26), ref, current: fields("old"), deadline });

function optionsOf(settings: unknown): TargetOptions {
  const none = () => {
    throw new Error("not asked for");
  };
  return {
    settings,
    ref,
    lookUp: none,
    now: Date.now,
    random: none,
    http: createHttp(Date.now),
    readFile: none,
    native: undefined,
  };
}

/** A vendor that answers with `status`, and `old` to the value that is current. */
async function answering(status: number, old = status) {
  const asked: { readonly method: string; readonly headers: object }[] = [];
  const server = createServer(({ method = "", headers }, response) => {
    asked.push({ method, headers });
    response.writeHead(headers.authorization === "Bearer old" ? old : status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/me`, asked };
}

describe("a value is tested by one request", () => {
  test.each([
    [200, "valid"],
    [204, "valid"],
    [401, "rejected"],
    [429, "unreachable"],
    [404, "unreachable"],
    [302, "unreachable"],
    [500, "unreachable"],
  ])("%d means %s", async (status, type) => {
    const { url, asked } = await answering(status);
    const verdict = await open(optionsOf({ check: { url } })).test(fields("new-key"), request());
    expect(verdict.type).toBe(type);
    expect(asked).toMatchObject([{ method: "GET", headers: { authorization: "Bearer new-key" } }]);
  });

  // Row 6 of the failure matrix: a key that was made with fewer rights is never promoted.
  test.each([
    [200, "lacking"],
    [403, "valid"],
    [401, "valid"],
    [500, "unreachable"],
  ])("403 is judged by what the current one gets: %d makes it %s", async (old, type) => {
    const { url, asked } = await answering(403, old);
    const target = open(optionsOf({ check: { url } }));
    const verdict = await target.test(fields("new-key"), request());
    expect(verdict.type).toBe(type);
    if (verdict.type === "lacking") expect(verdict.missing).toEqual([`GET ${url}`]);
    expect(asked).toHaveLength(2);
    // The current one is compared with nothing: it is looked at to learn whether it still works.
    const itself = await open(optionsOf({ check: { url: (await answering(200, 403)).url } })).test(
      fields("old"),
      request(),
    );
    expect(itself.type).toBe("valid");
  });

  test("a secret without the field that is tested does not log in", async () => {
    const { url, asked } = await answering(200);
    const other = { token: new Secret("x") };
    expect(await open(optionsOf({ check: { url } })).test(other, request())).toEqual({ type: "rejected" });
    expect(asked).toEqual([]);
  });

  test("the header is that of the vendor", async () => {
    const { url, asked } = await answering(200);
    const check = { url, header: "X-Api-Key", headers: { version: "2" } };
    await open(optionsOf({ check })).test(fields("new-key"), request());
    expect(asked).toMatchObject([{ headers: { "x-api-key": "new-key", version: "2" } }]);
  });

  test("nobody there is no rejection, and no answer in time neither", async () => {
    const target = open(optionsOf({ check: { url: "http://127.0.0.1:9/" } }));
    expect(await target.test(fields("x"), request())).toMatchObject({ type: "unreachable" });
    expect(await target.test(fields("x"), request(0))).toMatchObject({ type: "unreachable" });
  });

  test("where there is nothing to ask, a person's word counts", async () => {
    expect(await open(optionsOf({})).test(fields("x"), request())).toEqual({ type: "valid" });
    expect([canTest("r", {}), canTest("r", { vendor: "stripe" }), canTest("r", { vendor: "slack" })]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

test("the guide: where, what to do there, and what comes after it", () => {
  const guide = open(optionsOf({ vendor: "stripe" })).guide({ ref });
  expect(guide.page).toBe("https://dashboard.stripe.com/apikeys");
  expect(guide.steps[0]).toMatch(/^at Stripe: roll the key/);
  expect(guide.steps.at(-1)).toContain("mcp-secrets rotate mcp-secret://local/shop/key --retired");
  const own = open(optionsOf({ page: "https://intranet.example/keys", steps: ["ask Ann", "wait"] })).guide({ ref });
  expect(own.steps.slice(0, 2)).toEqual(["ask Ann", "wait"]);
});

test("which fields are asked for", () => {
  expect(askedFields("r", {})).toEqual(["value"]);
  expect(askedFields("r", { fields: ["id", "secret"] })).toEqual(["id", "secret"]);
});

test.each([
  [{ vendor: "nobody" }, "vendor must be one of"],
  [{ page: "http://plain.example" }, "page is not valid"],
  [{ page: "javascript:alert(1)" }, "page is not valid"],
  [{ check: { url: "http://far.example/me" } }, "check.url is not valid"],
  [{ check: { url: "https://u:p@h/me" } }, "check.url is not valid"],
  [{ check: {} }, "check.url is missing"],
  [{ fields: ["../x"] }, "fields is not valid"],
  [{ steps: ["a\u001b[2J"] }, "steps is not valid"],
  [{ pages: "https://x" }, "pages is not a setting"],
])("%j is not taken", (settings, message) => {
  expect(() => open(optionsOf(settings))).toThrow(`rotation.mcp-secret://local/shop/key.${message}`);
});

test("every page and call of the table is https, and no key can leave by another way", () => {
  for (const { page, check } of Object.values(VENDORS)) {
    expect(page).toMatch(/^https:\/\/[a-z0-9.-]+\//);
    if (check !== undefined) expect(check.url).toMatch(/^https:\/\/(api\.)?[a-z0-9.-]+\//);
  }
});
