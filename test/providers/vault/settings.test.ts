import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseVaultSettings, staleFor } from "../../../providers/vault/settings.ts";
import { isAddress } from "../../../src/core/address.ts";
import { UserError } from "../../../src/errors.ts";

const WHOLE = {
  addresses: ["https://a.example:8200", "https://b.example:8200/"],
  namespace: "team/a",
  caFile: "~/ca.pem",
  certFile: "~/c.pem",
  keyFile: "~/k.pem",
  proxy: "http://proxy.example:3128",
  auth: { method: "approle", roleId: "id", secretIdFile: "~/secret-id", wrappedFor: "mcp" },
  mounts: { kv: { type: "kv", path: "secret", version: 1 }, db: { type: "engine", path: "database/creds" } },
  launch: { role: "mcp-{server}", policies: ["mcp-{server}", "extra"], ttl: "90s", maxTtl: "2d", minTtl: "30s" },
  stale: "allow",
  maxStale: "2h",
  secrets: { "kv/a": { stale: "never" }, "kv/b": { maxStale: "5m" } },
};

function problemOf(value: unknown): string {
  try {
    parseVaultSettings("team", value);
  } catch (error) {
    if (error instanceof UserError && error.code === "config-invalid") return error.message;
    throw error;
  }
  return "none";
}

describe("settings", () => {
  test("an address is enough; the rest has defaults that narrow", () => {
    expect(parseVaultSettings("team", { addresses: "https://vault.example:8200" })).toEqual({
      addresses: ["https://vault.example:8200"],
      auth: { method: "token", tokenFile: "~/.vault-token" },
      mounts: { kv: { type: "kv", path: "secret", version: 2 } },
      launch: { policies: ["mcp-{server}"], ttl: 600, maxTtl: 86_400, minTtl: 60 },
    });
  });

  test("everything that can be said is read", () => {
    const { maxStale: _, secrets: __, ...whole } = WHOLE;
    expect(parseVaultSettings("team", WHOLE)).toEqual({
      ...whole,
      addresses: ["https://a.example:8200", "https://b.example:8200"],
      auth: { ...WHOLE.auth, mount: "approle" },
      launch: { ...WHOLE.launch, ttl: 90, maxTtl: 172_800, minTtl: 30 },
      stale: {
        allowed: true,
        max: 7200,
        secrets: { "kv/a": { allowed: false, max: 7200 }, "kv/b": { allowed: true, max: 300 } },
      },
    });
  });

  test("a copy may be used of what the settings allow, of static secrets only", () => {
    const ages = (settings: object, ...paths: string[]) => {
      const parsed = parseVaultSettings("team", { addresses: "https://vault.example", ...settings });
      return paths.map((path) => staleFor(parsed, path));
    };
    const { mounts, stale, maxStale, secrets } = WHOLE;
    const paths = ["kv/a", "kv/b", "kv/c", "db/readonly", "nowhere/x", "kv"];
    expect(ages({ mounts, stale, maxStale, secrets }, ...paths)).toEqual([
      undefined,
      300_000,
      7_200_000,
      undefined,
      undefined,
      undefined,
    ]);
    expect(ages({ stale: "allow" }, "kv/a")).toEqual([8 * 3_600_000]);
    expect(ages({}, "kv/a")).toEqual([undefined]);
    expect(ages({ secrets: { "kv/a": { stale: "allow", maxStale: "1s" } } }, "kv/a", "kv/b")).toEqual([
      1000,
      undefined,
    ]);
  });

  test.each([
    ["no object", [], "stores.team must be an object"],
    ["no address", {}, "stores.team.addresses is missing"],
    ["a misspelt guard", { ...WHOLE, launch: { minTTL: "30s" } }, "stores.team.launch.minTTL is not a setting"],
    [
      "a token in the config",
      { ...WHOLE, auth: { method: "token", token: "x" } },
      "stores.team.auth.token is not a setting",
    ],
    [
      "a password in the config",
      { ...WHOLE, auth: { method: "userpass", user: "u", password: "x" } },
      "auth.passwordFile or passwordRef",
    ],
    [
      "a secret id in the config",
      { ...WHOLE, auth: { method: "approle", roleId: "r", secretId: "x" } },
      "auth.secretIdFile is missing",
    ],
    [
      "an unknown method",
      { ...WHOLE, auth: { method: "ldap" } },
      "auth.method must be one of token, approle, jwt, kubernetes, userpass, cert",
    ],
    ["a certificate without its key", { ...WHOLE, keyFile: undefined }, "certFile and keyFile go together"],
    [
      "a mount that leads elsewhere",
      { ...WHOLE, mounts: { kv: { path: "../sys" } } },
      "mounts.kv.path is not valid here",
    ],
    [
      "a name that no reference has",
      { ...WHOLE, mounts: { "a/b": { path: "x" } } },
      "mounts has a name that no reference can have",
    ],
    ["a stale that is not known", { ...WHOLE, stale: true }, "stores.team.stale must be one of allow, never"],
    [
      "a setting of a secret that is not known",
      { ...WHOLE, secrets: { "kv/a": { max: "1h" } } },
      "secrets.kv/a.max is not a setting",
    ],
    ["a duration without a unit", { ...WHOLE, launch: { ttl: "90" } }, "launch.ttl is not valid here"],
    [
      "a life that is too short",
      { ...WHOLE, launch: { ttl: "30s", minTtl: "60s" } },
      "launch.minTtl must be less than ttl",
    ],
    ["a proxy with a password", { ...WHOLE, proxy: "http://u:p@proxy:1" }, "stores.team.proxy is not valid here"],
  ])("%s is an error that names the setting", (_, value, problem) => {
    expect(problemOf(value)).toContain(problem);
  });

  test("no value is ever said, whatever is given", () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 3 }), (value) => {
        const message = problemOf({ ...WHOLE, auth: { method: "token", "": value }, extra: "canary-value" });
        expect(message).not.toBe("none");
        expect(message).not.toContain("canary-value");
      }),
    );
  });
});

test("over the network only https; to this machine http will do; never a default", () => {
  const good = [
    "https://vault.example",
    "https://[::1]:8200",
    "http://127.0.0.1:8200",
    "http://localhost:8200",
    "http://[::1]:8200",
  ];
  const bad = [
    "http://vault.example:8200",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "https://u@vault.example",
    "https://vault.example/path",
    "https://vault.example?x",
    "ftp://127.0.0.1",
    "vault.example:8200",
    "",
  ];
  expect([good.filter((each) => !isAddress(each)), bad.filter(isAddress)]).toEqual([[], []]);
});
