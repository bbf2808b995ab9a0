import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatContent, parseContent } from "../../../providers/aws/content.ts";
import { sessionRequest } from "../../../providers/aws/sessions.ts";
import { parseAwsSettings } from "../../../providers/aws/settings.ts";
import { labelFor, nextNumber, numberOf, stagedOf, tokenFor } from "../../../providers/aws/versions.ts";
import { UserError } from "../../../src/errors.ts";
import { secrets } from "../parts.ts";

const ARN = "arn:aws:iam::123456789012:role/mcp/reader";

function problemOf(value: unknown): string {
  try {
    parseAwsSettings("prod", value);
  } catch (error) {
    if (error instanceof UserError && error.code === "config-invalid") return error.message;
    throw error;
  }
  return "none";
}

describe("settings", () => {
  test("none are needed", () => {
    expect(parseAwsSettings("prod", {})).toEqual({ prefix: "", imds: false, recoveryDays: 7, roles: {} });
  });

  test("everything that can be said is read", () => {
    const whole = {
      region: "eu-central-1",
      profile: "work",
      credentialsFile: "~/keys",
      configFile: "/etc/aws/config",
      prefix: "mcp/",
      kmsKeyId: "alias/mcp",
      endpoint: "http://127.0.0.1:5000",
      stsEndpoint: "https://sts.example",
      imds: true,
      recoveryDays: 0,
      owner: "team a",
      roleArn: ARN,
      externalId: "e-1",
      roles: {
        a: { arn: ARN, duration: 1000, policy: { Version: "2012-10-17" }, policyArns: "arn:aws:iam::aws:policy/X" },
        b: { arn: ARN, deliver: "container-credentials", tagSession: false },
      },
    };
    const { roleArn, externalId, ...same } = whole;
    expect(parseAwsSettings("prod", whole)).toEqual({
      ...same,
      storeRole: { arn: roleArn, externalId, duration: 900, policyArns: [], tagSession: true, deliver: "env" },
      roles: {
        a: { ...whole.roles.a, policyArns: ["arn:aws:iam::aws:policy/X"], deliver: "env", tagSession: true },
        b: { ...whole.roles.b, duration: 900, policyArns: [] },
      },
    });
  });

  test.each([
    ["a key in the config", { accessKeyId: "x" }, "stores.prod.accessKeyId is not a setting"],
    ["an address over the network without TLS", { endpoint: "http://aws.example" }, "endpoint is not valid here"],
    ["a region that is a path", { region: "eu/../x" }, "region is not valid here"],
    ["days that the service does not take", { recoveryDays: 3 }, "recoveryDays must be 0, or 7 to 30"],
    ["more days than that", { recoveryDays: 31 }, "recoveryDays must be a whole number from 0 to 30"],
    ["a session that is too short", { roles: { a: { arn: ARN, duration: 60 } } }, "from 900 to 43200"],
    ["a role that is none", { roles: { a: { arn: "arn:aws:iam::1:user/x" } } }, "roles.a.arn is not valid here"],
    ["a role without an ARN", { roles: { a: {} } }, "roles.a.arn is missing"],
    ["a name that no reference has", { roles: { "a/b": { arn: ARN } } }, "roles has a name that no reference can have"],
    ["a misspelt guard", { roles: { a: { arn: ARN, Policy: {} } } }, "roles.a.Policy is not a setting"],
    ["a way of delivery that is none", { roles: { a: { arn: ARN, deliver: "file" } } }, "deliver must be one of env"],
  ])("%s is an error that names the setting", (_, value, problem) => {
    expect(problemOf(value)).toContain(problem);
  });
});

describe("what STS is asked", () => {
  const role = (over: object = {}) => parseAwsSettings("prod", { roles: { a: { arn: ARN, ...over } } }).roles["a"]!;

  test("is always of its grammar, whatever the names are", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.string(),
        fc.stringMatching(/^[0-9a-f]{16,32}$/),
        (entry, host, id) => {
          const asked = sessionRequest("prod", role(), { host, launch: { id, entry } });
          expect(asked.RoleSessionName).toMatch(/^[\w+=,.@-]{2,64}$/);
          expect(asked.RoleSessionName).toContain(id);
          expect(asked.SourceIdentity).toMatch(/^[\w+=,.@-]{2,64}$/);
          for (const { Key, Value } of asked.Tags ?? []) {
            expect(Key).toMatch(/^mcp-secrets:[a-z]+$/);
            expect(Value).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,256}$/u);
          }
        },
      ),
    );
  });

  test("names who and what, or neither where the role does not take it", () => {
    const launch = { id: "0123456789abcdef", entry: "cursor@12345678/github" };
    const owner = { host: "laptop", launch };
    expect(sessionRequest("prod", role({ externalId: "e-1", duration: 900 }), owner)).toEqual({
      RoleArn: ARN,
      RoleSessionName: "github-0123456789abcdef",
      DurationSeconds: 900,
      ExternalId: "e-1",
      SourceIdentity: "laptop",
      Tags: [
        { Key: "mcp-secrets:server", Value: "github" },
        { Key: "mcp-secrets:client", Value: "cursor@12345678" },
        { Key: "mcp-secrets:launch", Value: "0123456789abcdef" },
        { Key: "mcp-secrets:host", Value: "laptop" },
      ],
    });
    expect(Object.keys(sessionRequest("prod", role({ tagSession: false }), owner))).toEqual([
      "RoleArn",
      "RoleSessionName",
      "DurationSeconds",
    ]);
  });

  test("a policy that STS would refuse for its length is said before", () => {
    const policy = { Statement: ["x".repeat(2048)] };
    const ask = () => sessionRequest("prod", role({ policy }), { host: "h" });
    expect(ask).toThrow(expect.objectContaining({ code: "config-invalid" }));
  });
});

describe("versions", () => {
  const KEY = Buffer.alloc(32, 1);

  test("a token is a UUID that gives its number back, and differs with all it is made of", () => {
    const numbers = fc.integer({ min: 1, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(numbers, fc.string(), fc.string(), fc.string(), (number, name, content, other) => {
        const token = tokenFor(KEY, name, number, content);
        expect(token).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(numberOf(token)).toBe(number);
        expect(tokenFor(KEY, name, number, content)).toBe(token);
        expect(tokenFor(Buffer.alloc(32, 2), name, number, content)).not.toBe(token);
        if (other !== content) expect(tokenFor(KEY, name, number, other)).not.toBe(token);
        if (other !== "") expect(tokenFor(KEY, name + other, number, content)).not.toBe(token);
        expect(labelFor(token).length).toBeLessThanOrEqual(256);
      }),
    );
  });

  test("those of others have a number above all of ours, the same each time", () => {
    fc.assert(
      fc.property(fc.uuid({ version: 4 }), (id) => {
        expect(numberOf(id)).toBeGreaterThan(2 ** 32 - 1);
        expect(Number.isSafeInteger(numberOf(id))).toBe(true);
        expect(numberOf(id)).toBe(numberOf(id));
      }),
    );
  });

  test("the next number is above all that a label holds", () => {
    const [one, nine] = [1, 9].map((number) => tokenFor(KEY, "n", number, "c"));
    const staged = stagedOf({ [one ?? ""]: ["AWSCURRENT"], [nine ?? ""]: ["AWSPREVIOUS"], other: ["x"] });
    expect([staged.current, staged.previous, nextNumber(staged)]).toEqual([one, nine, 10]);
    expect(nextNumber(stagedOf(undefined))).toBe(1);
  });
});

test("fields come back as they were, and the same ones are the same content", () => {
  const fields = fc.dictionary(fc.constantFrom("value", "user", "a", "__proto__"), fc.string({ unit: "binary" }), {
    minKeys: 1,
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(fields, (given) => {
      const text = formatContent("prod", "n", secrets(given));
      const back = [...parseContent(text)].map(([name, value]) => [name, value.expose()] as const);
      expect(new Map(back)).toEqual(new Map(Object.entries(given)));
      expect(text).not.toBe("");
      const turned = Object.fromEntries(Object.entries(given).toReversed());
      expect(formatContent("prod", "n", secrets(turned))).toBe(text);
    }),
  );
});
