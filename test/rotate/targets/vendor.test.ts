import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Fields } from "../../../src/core/provider.ts";
import { Secret } from "../../../src/core/secret.ts";
import type { MintTarget } from "../../../src/rotate/target.ts";
import { open } from "../../../src/rotate/targets/vendor.ts";
import { CONTRACTS } from "../../../src/rotate/targets/vendors/table.ts";
import { selfSigned } from "../../servers/certificate.ts";
import { json, startFake } from "../../servers/fake-vault.ts";
import { type FaultProxy, startFaultProxy } from "../../servers/fault-proxy.ts";
import { startVendors, type Vendor, type VendorServer } from "../../servers/vendors.ts";
import { apiOptions, failureOf, fields, rotation, shown } from "./api.ts";

let vendors: VendorServer;
let proxy: FaultProxy;

beforeAll(async () => {
  vendors = await startVendors();
  proxy = await startFaultProxy(vendors.address);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await vendors[Symbol.asyncDispose]();
});
beforeEach(() => {
  proxy.fault = () => undefined;
  for (const keys of Object.values(vendors.keys)) keys.all.length = 0;
});

function target(vendor: string, settings: Record<string, unknown> = {}, admin: Fields = {}): MintTarget {
  return open(apiOptions({ vendor, endpoint: proxy.address, ...settings }, { admin }));
}

const ADMIN = "mcp-secret://local/admin";
const RULE = { effect: "allow", resources: { "com.cloudflare.api.account.1": "*" } };

/** One of each class O: the fields of the key in use, the settings, and who manages. */
const KEYS: Readonly<Record<Vendor, () => { current: Fields; settings: Record<string, unknown>; admin: Fields }>> = {
  openai: () => {
    const admin = vendors.keys.openai.make("admin");
    const key = vendors.keys.openai.make("app");
    return {
      current: fields({ value: key.value, id: key.id, note: "kept" }),
      settings: { project: "proj_abc", serviceAccount: "svc_1", admin: ADMIN, days: 30, scopes: ["api.model.read"] },
      admin: fields({ value: admin.value }),
    };
  },
  sendgrid: () => {
    const scopes = ["api_keys.create", "api_keys.read", "api_keys.delete", "mail.send"];
    const id = "abcdefghijklmnopqrstu1".slice(0, 22);
    const key = vendors.keys.sendgrid.make("app", { id, value: `SG.${id}.first`, scopes });
    return { current: fields({ value: key.value, note: "kept" }), settings: { scopes }, admin: {} };
  },
  datadog: () => {
    const admin = vendors.keys.datadog.make("admin");
    const key = vendors.keys.datadog.make("app");
    return {
      current: fields({ value: key.value, id: key.id, note: "kept" }),
      settings: { admin: ADMIN },
      admin: fields({ api_key: admin.value, application_key: "app-key" }),
    };
  },
  twilio: () => {
    const main = vendors.keys.twilio.make("main", { id: `SK${"0".repeat(32)}` });
    const key = vendors.keys.twilio.make("app", { id: `SK${"1".repeat(32)}` });
    return {
      current: fields({ sid: key.id, secret: key.value, note: "kept" }),
      settings: { account: `AC${"a".repeat(32)}`, admin: ADMIN },
      admin: fields({ sid: main.id, secret: main.value }),
    };
  },
  cloudflare: () => {
    const admin = vendors.keys.cloudflare.make("manager");
    const policy = { ...RULE, id: "p1", permission_groups: [{ id: "g1", name: "DNS Read" }] };
    const given = { policies: [policy], condition: { request_ip: { in: ["192.0.2.0/24"] } } };
    const key = vendors.keys.cloudflare.make("app", { given });
    return {
      current: fields({ value: key.value, note: "kept" }),
      settings: { admin: ADMIN, days: 30 },
      admin: fields({ value: admin.value }),
    };
  },
};

describe.each(Object.keys(KEYS) as Vendor[])("%s, whose keys live side by side", (vendor) => {
  function start() {
    const { current, settings, admin } = KEYS[vendor]();
    return { current, target: target(vendor, settings, admin), keys: vendors.keys[vendor] };
  }

  test("a new key is made, told from a wrong one, and takes the old one's place", async () => {
    const { current, target: issuer, keys } = start();
    const made = await issuer.mint(rotation(current));
    expect(issuer.class).toBe("O");
    expect(shown(made)["note"]).toBe("kept");
    expect(keys.all.at(-1)?.name).toBe(`mcp-secrets-${"a".repeat(26)}`);
    expect(await issuer.test(made, rotation(current))).toEqual({ type: "valid" });
    expect(await issuer.test(current, rotation(current))).toEqual({ type: "valid" });
    const wrong = Object.fromEntries(Object.keys(made).map((name) => [name, new Secret("x")]));
    expect(await issuer.test(wrong, rotation(current))).toEqual({ type: "rejected" });
    await issuer.retire(current, rotation(made));
    expect(await issuer.test(current, rotation(made))).toEqual({ type: "rejected" });
    expect(await issuer.test(made, rotation(made))).toEqual({ type: "valid" });
    await issuer.discard(rotation(made, { id: "z".repeat(26) }));
    expect(await issuer.test(made, rotation(made))).toEqual({ type: "valid" });
  });

  test("a lost answer is lost; what it made is found by its name, and taken away", async () => {
    const { current, target: issuer, keys } = start();
    const before = keys.all.map(({ id }) => id);
    proxy.fault = ({ method }) => (method === "POST" ? "lost" : undefined);
    expect((await failureOf(issuer.mint(rotation(current)))).code).toBe("target-lost");
    proxy.fault = () => undefined;
    expect(keys.all).toHaveLength(before.length + 1);
    await issuer.discard(rotation(current, { id: "b".repeat(26) }));
    expect(keys.all).toHaveLength(before.length + 1);
    await issuer.discard(rotation(current));
    await issuer.discard(rotation(current));
    expect(keys.all.map(({ id }) => id)).toEqual(before);
  });

  test("errors of the way are no verdict, and make nothing that is not told", async () => {
    const { current, target: issuer, keys } = start();
    const before = keys.all.length;
    for (const [fault, code] of [
      [503, "target-lost"],
      [429, "target-unreachable"],
    ] as const) {
      proxy.fault = ({ method }) => (method === "POST" ? fault : undefined);
      expect((await failureOf(issuer.mint(rotation(current)))).code).toBe(code);
      proxy.fault = () => fault;
      expect(await issuer.test(current, rotation(current))).toEqual({
        type: "unreachable",
        reason: expect.stringMatching(new RegExp(`^127\\.0\\.0\\.1:\\d+ answered with status ${fault}$`)),
      });
      expect((await failureOf(issuer.discard(rotation(current)))).code).toBe("target-unreachable");
    }
    proxy.fault = () => "hang";
    const late = rotation(current, { deadline: Date.now() + 200 });
    expect(await issuer.test(current, late)).toMatchObject({ type: "unreachable" });
    expect(keys.all).toHaveLength(before);
  });

  test("a wrong administrator is refused, with the right that is needed", async () => {
    const { current, settings } = KEYS[vendor]();
    const wrong = fields({ value: "no", api_key: "no", application_key: "no", sid: "no", secret: "no" });
    const issuer = target(vendor, { ...settings, admin: ADMIN }, wrong);
    const failure = await failureOf(issuer.mint(rotation(current)));
    expect([failure.code, failure.hint]).toEqual([
      "target-refused",
      `the credential that asks needs: ${CONTRACTS[vendor]?.right ?? ""}`,
    ]);
  });
});

test("a key whose id nobody knows is not replaced: it could not be ended", async () => {
  const { current, settings, admin } = KEYS.openai();
  const { id: _, ...without } = current;
  const before = vendors.keys.openai.all.length;
  const failure = await failureOf(target("openai", settings, admin).mint(rotation(without)));
  expect([failure.code, failure.hint]).toEqual([
    "target-refused",
    "store it once: mcp-secrets set mcp-secret://local/app/key#id",
  ]);
  expect(vendors.keys.openai.all).toHaveLength(before);
});

test("a Cloudflare token gets the rights of the old one, and an end", async () => {
  const { current, settings, admin } = KEYS.cloudflare();
  await target("cloudflare", settings, admin).mint(rotation(current));
  expect(vendors.keys.cloudflare.all.at(-1)?.given).toMatchObject({
    policies: [{ ...RULE, permission_groups: [{ id: "g1" }] }],
    condition: { request_ip: { in: ["192.0.2.0/24"] } },
    expires_on: expect.stringMatching(/T00:00:00\.000Z$/),
  });
});

test("a SendGrid key that lacks a scope is lacking", async () => {
  const { current, settings } = KEYS.sendgrid();
  const key = vendors.keys.sendgrid.make("less", { scopes: ["mail.send"] });
  const verdict = await target("sendgrid", settings).test(fields({ value: key.value }), rotation(current));
  expect(verdict).toMatchObject({ type: "lacking", missing: expect.arrayContaining(["api_keys.create"]) });
});

test("another path and another field may be named", async () => {
  const { current, settings, admin } = KEYS.openai();
  const moved = fields({ OPENAI_API_KEY: shown(current)["value"] ?? "", id: shown(current)["id"] ?? "" });
  const issuer = target("openai", { ...settings, field: "OPENAI_API_KEY", test: "/v1/other" }, admin);
  const made = await issuer.mint(rotation(moved));
  expect(Object.keys(made).toSorted()).toEqual(["OPENAI_API_KEY", "id"]);
  expect(await issuer.test(made, rotation(moved))).toEqual({ type: "unreachable", reason: "status 404" });
});

describe("GitLab, whose old token is dead with the answer", () => {
  test.each([
    ["gitlab-personal", {}, "/api/v4/personal_access_tokens/self/rotate"],
    ["gitlab-project", { project: "group/app" }, "/api/v4/projects/group%2Fapp/access_tokens/self/rotate"],
    ["gitlab-group", { group: "12" }, "/api/v4/groups/12/access_tokens/self/rotate"],
  ])("%s", async (vendor, settings, path) => {
    const { gitlab } = vendors;
    const current = fields({ value: gitlab.make().value });
    const issuer = target(vendor, { ...settings, scopes: ["api"] });
    const before = gitlab.reuses;
    const made = await issuer.mint(rotation(current));
    expect(proxy.seen.at(-1)).toMatchObject({ method: "POST", path });
    expect(gitlab.tokens.at(-1)?.expires).toBe(new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10));
    expect(await issuer.test(made, rotation(current))).toEqual({ type: "valid" });
    await issuer.retire(current, rotation(made));
    await issuer.discard(rotation(current));
    expect([issuer.class, issuer.reuseRevokes, gitlab.reuses]).toEqual(["X", true, before]);
    expect(await issuer.test(made, rotation(made))).toEqual({ type: "valid" });
  });

  test("is asked once where the answer is lost, and never with the old token again", async () => {
    const { gitlab } = vendors;
    const current = fields({ value: gitlab.make().value });
    const issuer = target("gitlab-personal");
    const [asked, reused] = [proxy.seen.length, gitlab.reuses];
    proxy.fault = () => "lost";
    expect((await failureOf(issuer.mint(rotation(current)))).code).toBe("target-lost");
    expect(proxy.seen).toHaveLength(asked + 1);
    expect(gitlab.reuses).toBe(reused);
    expect(gitlab.living()).toContain(gitlab.tokens.at(-1)?.value);
    expect(issuer.whenLost).toContain("do not try it");
  });

  test("the server here does end the family of a token that is rotated twice", async () => {
    const { gitlab } = vendors;
    const current = fields({ value: gitlab.make().value });
    const made = await target("gitlab-personal").mint(rotation(current));
    const failure = await failureOf(target("gitlab-personal").mint(rotation(current)));
    expect(failure.code).toBe("target-refused");
    expect(await target("gitlab-personal").test(made, rotation(made))).toEqual({ type: "rejected" });
  });

  test("a token that may not rotate itself is refused, and lives on", async () => {
    const current = fields({ value: vendors.gitlab.make(["read_api"]).value });
    const issuer = target("gitlab-personal", { scopes: ["api"] });
    const failure = await failureOf(issuer.mint(rotation(current)));
    expect(failure).toMatchObject({ code: "target-refused", hint: expect.stringContaining("self_rotate") });
    expect(await issuer.test(current, rotation(current))).toEqual({ type: "lacking", missing: ["api"] });
  });
});

test("a Slack configuration token is exchanged with both its fields, once", async () => {
  const { slack } = vendors;
  const current = fields({ token: slack.pair.token, refresh_token: slack.pair.refresh });
  const issuer = target("slack-config");
  expect(await issuer.test(current, rotation(current))).toEqual({ type: "valid" });
  const made = await issuer.mint(rotation(current));
  expect(shown(made)).toEqual({ token: slack.pair.token, refresh_token: slack.pair.refresh });
  expect(await issuer.test(made, rotation(current))).toEqual({ type: "valid" });
  expect(await issuer.test(current, rotation(current))).toEqual({ type: "rejected" });
  const again = await failureOf(issuer.mint(rotation(current)));
  expect([again.code, again.message]).toEqual([
    "target-refused",
    expect.stringContaining("tooling.tokens.rotate: invalid_refresh_token"),
  ]);
});

describe("the table", () => {
  test.each(Object.entries(CONTRACTS))("%s names its source, its right and https hosts", (_, contract) => {
    expect(contract.source).toMatch(/^https:\/\//);
    expect(contract.right).not.toBe("");
    const calls = [contract.mint, contract.test, contract.like, contract.retire?.call, contract.retire?.list];
    for (const call of calls) {
      if (call === undefined) continue;
      expect(new URL(call.path, call.origin ?? contract.origin).protocol).toBe("https:");
      const named = [...call.path.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name]) => name);
      expect([...Object.keys(contract.settings), "name", "id"]).toEqual(expect.arrayContaining(named));
    }
    expect(contract.class === "O").toBe(contract.retire !== undefined);
    expect(contract.class === "X").toBe(contract.whenLost !== undefined);
  });

  test("the documentation has every row, with its class and its source", () => {
    const text = readFileSync("docs/rotation-vendors.md", "utf8");
    for (const [name, { class: kind, source }] of Object.entries(CONTRACTS)) {
      expect(text).toMatch(new RegExp(`^\\| \`${name}\` +\\| ${kind} +\\|`, "m"));
      expect(text).toContain(`<${source}>`);
    }
  });
});

test("an instance of one's own is vouched for by an authority of one's own, and by nobody else", async () => {
  const tls = selfSigned("localhost", ["subjectAltName=IP:127.0.0.1"]);
  await using server = await startFake((_, response) => json(response, 200, { scopes: ["api"] }), tls);
  const folder = mkdtempSync(join(tmpdir(), "vendor-ca-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, tls.cert);
  const current = fields({ value: "glpat-x" });
  const own = { endpoint: server.address };
  const verdict = await target("gitlab-personal", own).test(current, rotation(current));
  expect([verdict.type, server.seen]).toEqual(["unreachable", []]);
  const trusted = target("gitlab-personal", { ...own, caFile });
  expect(await trusted.test(current, rotation(current))).toEqual({ type: "valid" });
});

test("settings are read strictly", () => {
  const wrong: readonly Record<string, unknown>[] = [
    {},
    { vendor: "nobody" },
    { vendor: "openai", project: "proj_abc", serviceAccount: "svc_1" },
    { vendor: "openai", project: "../x", serviceAccount: "svc_1", admin: ADMIN },
    { vendor: "sendgrid" },
    { vendor: "gitlab-personal", admin: ADMIN },
    { vendor: "gitlab-personal", days: 366 },
    { vendor: "gitlab-project", project: "a/../b?x" },
    { vendor: "slack-config", field: "x" },
    { vendor: "gitlab-personal", endpoint: "http://gitlab.example" },
    { vendor: "gitlab-personal", test: "//other.example/" },
  ];
  for (const settings of wrong) {
    expect(() => open(apiOptions(settings))).toThrow(expect.objectContaining({ code: "config-invalid" }));
  }
});

test("no message has a key in it", async () => {
  const told: string[] = [];
  const secrets: string[] = [];
  for (const vendor of Object.keys(KEYS) as Vendor[]) {
    const { current, settings, admin } = KEYS[vendor]();
    secrets.push(...Object.values({ ...shown(current), ...shown(admin) }).filter((value) => value.length > 12));
    for (const fault of ["lost", 400, 403, 500] as const) {
      proxy.fault = ({ method }) => (method === "POST" ? fault : undefined);
      const { message, hint } = await failureOf(target(vendor, settings, admin).mint(rotation(current)));
      told.push(message, hint ?? "");
    }
  }
  for (const secret of secrets) expect(told.join("\n")).not.toContain(secret);
});
