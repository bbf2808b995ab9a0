import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { detect } from "../../src/detect/detect.ts";
import { entryOf, secretsIn, spanOf } from "./entries.ts";
import type { EntryText } from "./entries.ts";

const TOKEN = "q7Rt2LmZx94KvBn1Yc8W";
const GITHUB = "ghp_k3J9sQ2vXw7Lm4Np8Rt1Yz6Bc5Df0Gh2Jk4L";

describe("arguments", () => {
  test.each<[string, string[], string[]]>([
    ["a flag and the next argument", ["-y", "pkg", "--api-key", TOKEN, "--port", "80"], [TOKEN]],
    ["a flag and its value", [`--acme-token=${TOKEN}`], [TOKEN]],
    ["a flag and its value with a blank", [`--acme-token ${TOKEN}`], [TOKEN]],
    ["a camel-case flag", ["--acmeApiKey", TOKEN], [TOKEN]],
    ["a system property", [`-Dacme.password=${"lamp 7"}`], ["lamp 7"]],
    ["a password of words", ["--password", "correct horse"], ["correct horse"]],
    ["a password that begins with a dash", ["--password", "-hunter2!"], ["-hunter2!"]],
    ["docker -e", ["run", "-i", "-e", `ACME_TOKEN=${TOKEN}`, "img"], [TOKEN]],
    ["docker --env", ["run", "--env", `ACME_TOKEN=${TOKEN}`], [TOKEN]],
    ["docker --env=", ["run", `--env=ACME_TOKEN=${TOKEN}`], [TOKEN]],
    ["docker -e in one argument", ["run", `-e ACME_TOKEN=${TOKEN}`], [TOKEN]],
    ["docker -e without a blank", ["run", `-eACME_TOKEN=${TOKEN}`], [TOKEN]],
    ["docker -e of a name only", ["run", "-e", "ACME_TOKEN", "acme/image"], []],
    ["docker --env-file", ["run", "--env-file", "/home/me/secrets.env"], []],
    ["a header", ["mcp-remote", "https://x.test", "--header", `Authorization: Bearer ${TOKEN}`], [TOKEN]],
    ["a header without a blank", ["--header", `X-Acme-Key:${TOKEN}`], [TOKEN]],
    ["a header in one argument", [`--header=Authorization: Bearer ${TOKEN}`], [TOKEN]],
    ["a header of curl", ["-H", `X-Api-Key: ${TOKEN}`], [TOKEN]],
    ["a header that holds none", ["--header", "Accept: application/json"], []],
    ["a header's value alone", ["connect", "Bearer ss9xQw8eL2zLnn1"], ["ss9xQw8eL2zLnn1"]],
    ["a pair", ["pkg", `API_KEY=${TOKEN}`], [TOKEN]],
    ["a piece of shell", ["-c", `export ACME_TOKEN=${TOKEN} && exec server --key "${GITHUB}"`], [TOKEN, GITHUB]],
    [
      "two of a known format",
      ["-c", `server ${GITHUB} ${GITHUB.replace("k3J9", "Zq81")}`],
      [GITHUB, GITHUB.replace("k3J9", "Zq81")],
    ],
    ["assignments with semicolons", ["-c", `A=1; ACME_TOKEN=${TOKEN} server --x; B=2`], [TOKEN]],
    ["a header in a piece of shell", ["-c", `curl -H 'Authorization: Bearer ${TOKEN}' https://x.test`], [TOKEN]],
    ["JSON", ["--config", `{"url": "https://x.test", "apiKey" : "${TOKEN}"}`], [TOKEN]],
    ["a known format at any place", ["pkg", GITHUB], [GITHUB]],
    ["a known format under a flag that says nothing", ["--thing", GITHUB], [GITHUB]],
    ["a path under a key", ["--key-file", "/home/me/key.json", "--ssh-key", "~/.ssh/id_ed25519"], []],
    ["a boolean flag before the package", ["--no-token", "some-package-name-1234567890"], []],
    [
      "packages and images",
      ["-y", "npm:@acme/x@1.2.3", "img@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"],
      [],
    ],
  ])("%s", (_, args, expected) => {
    expect(secretsIn({ args })).toEqual(expected);
  });
});

describe("variables", () => {
  test.each<[string, string, string[]]>([
    ["ACME_API_KEY", TOKEN, [TOKEN]],
    ["ACME_TOKEN", ` "${TOKEN}" `, [TOKEN]],
    ["ACME_AUTH_HEADER", `Bearer ${TOKEN}`, [TOKEN]],
    ["AUTH", "Bearer ss9xQw8eL2zLnn1", ["ss9xQw8eL2zLnn1"]],
    ["AUTH", "ss9xQw8eL2zLnn1", ["ss9xQw8eL2zLnn1"]],
    ["ACME_AUTHENTICATION", "Zx81kQ9vW2mT", ["Zx81kQ9vW2mT"]],
    ["MY_AUTH", "Token ab12cd34ef", ["ab12cd34ef"]],
    ["UPSTREAM", "Bearer ss9xQw8eL2zLnn1", ["ss9xQw8eL2zLnn1"]],
    ["UPSTREAM", "Basic dXNlcjpwYXNz", ["dXNlcjpwYXNz"]],
    ["AUTH", "oauth2", []],
    ["AUTH", "Bearer token", []],
    ["AUTH", "Bearer ${TOKEN}", []],
    ["MODE", "basic authentication", []],
    ["TITLE", "Basic html5-course", []],
    ["TITLE", "Bearer of 2 rings", []],
    ["VITE_AUTH", "Bearer ss9xQw8eL2zLnn1", []],
    ["SMTP_PASSWORD", "hunter2", ["hunter2"]],
    ["DB_PASS", "$ummer2024", ["$ummer2024"]],
    ["DB_PASSWORD", "a/b", ["a/b"]],
    ["DB_PASSWORD", "thunder{67}", ["thunder{67}"]],
    ["DB_PASSWORD", "your2Mango!", ["your2Mango!"]],
    [
      "SEED_PHRASE",
      "legal winner thank year wave sausage worth useful legal winner thank yellow",
      ["legal winner thank year wave sausage worth useful legal winner thank yellow"],
    ],
    ["ACME_TOKEN", "6f1c2d3e-4a5b-4c6d-8e7f-9a0b1c2d3e4f", ["6f1c2d3e-4a5b-4c6d-8e7f-9a0b1c2d3e4f"]],
    ["ACME_SECRET", "/8z0P4E/4lXudSNdkgQAUsTG+pMtv5uO=", ["/8z0P4E/4lXudSNdkgQAUsTG+pMtv5uO="]],
    ["AWS_ACCESS_KEY_ID", "AKIAQWERTYUIOPASDFGH", ["AKIAQWERTYUIOPASDFGH"]],
    ["ANYTHING", GITHUB, [GITHUB]],
    ["HEADERS", `{"Authorization":"Bearer ${TOKEN}"}`, [TOKEN]],
    ["EXTRA_HEADERS", `X-Api-Key: ${TOKEN}`, [TOKEN]],
    [
      "PRIVATE_KEY",
      "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
      ["-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"],
    ],
    [
      "ACCOUNT",
      `{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"}`,
      ["-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"],
    ],
    [
      "SLACK_URL",
      "https://hooks.slack.com/services/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",
      ["k5L6m7N8o9P0q1R2s3T4u5V6"],
    ],
    ["TOKEN_FILE", "/home/me/token.json", []],
    ["TOKEN_URL", "https://auth.test/token", []],
    ["MAX_TOKENS", "4096", []],
    ["TOKEN_LIMIT", TOKEN, []],
    ["PUBLIC_KEY", TOKEN, []],
    ["SORT_KEY", "created_at", []],
    ["MONKEY", TOKEN, []],
    ["USE_TOKEN", "true", []],
    ["ACME_USERNAME", "svc_account", []],
    ["GIT_COMMIT", "7d00ba84169076074db2ebb42cc83a1b0f128b44", []],
    ["PROJECT_ID", "0pvbbYTXlwq17ErLM7k40pvbbYTXlwq1", []],
    ["PATH", "/usr/local/bin:/usr/bin", []],
    ["ACME_TOKEN", "", []],
  ])("%s=%s", (name, value, expected) => {
    expect(secretsIn({ env: { [name]: value } })).toEqual(expected);
  });
});

describe("URLs and connection strings", () => {
  test.each<[string, string[]]>([
    ["postgresql://admin:P@ssw0rd123@prod.internal:5432/customers", ["P@ssw0rd123"]],
    ["postgresql://app:p%40ss%2Fw@db/app", ["p%40ss%2Fw"]],
    ["postgresql://app:pa/ss:w@rd#1@db:5432/app?sslmode=require", ["pa/ss:w@rd#1"]],
    ["postgresql://app:pa?ss@db:5432/app?sslmode=require", ["pa?ss"]],
    ["postgresql://app:secr3t9@db/app?options=a@b", ["secr3t9"]],
    ["postgresql://db/app?user=a&password=lamp9&sslmode=require", ["lamp9"]],
    ["jdbc:mysql://db:3306/app?user=a&password=lamp9&useSSL=false", ["lamp9"]],
    ["jdbc:sqlserver://db:1433;databaseName=app;user=sa;password=lamp9;encrypt=true", ["lamp9"]],
    ["redis://:lamp9@localhost:6379/0", ["lamp9"]],
    ["mysql+pymysql://root:lamp9@db/app", ["lamp9"]],
    ["https://me:lamp9@git.test/@scope/repo", ["lamp9"]],
    ["app:la@mp9@tcp(db:3306)/app?parseTime=true", ["la@mp9"]],
    ["Server=tcp:db,1433;User ID=sa;Password=lamp 9;Encrypt=True;", ["lamp 9"]],
    ["host=db port=5432 user=app password=lamp9 dbname=x", ["lamp9"]],
    ["host=db user=app password='la mp9'", ["la mp9"]],
    [`DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${TOKEN}==;EndpointSuffix=core`, [`${TOKEN}==`]],
    [`https://x.test/mcp?api_key=${TOKEN}&profile=me`, [TOKEN]],
    [`https://x.test/mcp?acmeApiKey=${TOKEN}`, [TOKEN]],
    ["https://rpc.test/v2/Kx82hFqLz0PvNw3RtYb7McJd5Gs1AeU6", ["Kx82hFqLz0PvNw3RtYb7McJd5Gs1AeU6"]],
    ["postgresql://root@localhost:26257/defaultdb", []],
    ["https://registry.test/@acme/pkg", []],
    ["https://host.test:8080/@acme/pkg", []],
    ["https://x.test/mcp?page=2&sort=key&q=token", []],
    ["https://git.test/acme/x/commit/7d00ba84169076074db2ebb42cc83a1b0f128b44", []],
    ["postgresql://user:password@localhost/dbname", []],
    ["postgresql://app:${DB_PASSWORD}@db/app", []],
    ["postgresql://app:mcp-secret://local/db/password@db/app", []],
    ["postgresql://app:<password>@db/app", []],
  ])("%s", (text, expected) => {
    expect(secretsIn({ args: [text] })).toEqual(expected);
    expect(secretsIn({ env: { SOME_DSN: text } })).toEqual(expected);
  });
});

test("a finding says where it is, what it is and what to call it", () => {
  const entry = entryOf({
    args: ["--header", `X-Acme-Key:${TOKEN}`, "--api-key", TOKEN, "postgresql://a:lamp9@db/x"],
    env: { DATABASE_URL: "postgresql://a:lamp9@db/x", ACME_TOKEN: TOKEN },
  });
  expect(
    detect(entry).map(({ place, pointer, name, encoded, kind }) => ({ place, pointer, name, encoded, kind })),
  ).toEqual([
    { place: "arg", pointer: "/mcpServers/s/args/1", name: "X-Acme-Key", encoded: false, kind: "api-key" },
    { place: "arg", pointer: "/mcpServers/s/args/3", name: "--api-key", encoded: false, kind: "api-key" },
    { place: "arg", pointer: "/mcpServers/s/args/4", name: "password", encoded: true, kind: "connection-string" },
    {
      place: "env",
      pointer: "/mcpServers/s/env/DATABASE_URL",
      name: "DATABASE_URL",
      encoded: true,
      kind: "connection-string",
    },
    { place: "env", pointer: "/mcpServers/s/env/ACME_TOKEN", name: "ACME_TOKEN", encoded: false, kind: "token" },
  ]);
  expect(JSON.stringify(detect(entry))).not.toMatch(/lamp9|q7Rt/);
});

test("a remote entry: its URL and headers", () => {
  const headers = {
    Authorization: `Bearer ${TOKEN}`,
    "X-Acme-Secret": "x9Lmq2wE7r",
    Accept: "text/html",
    Cookie: "sid=a81Fz7Kq2",
  };
  expect(secretsIn({ url: `https://x.test/mcp?token=${TOKEN}`, headers })).toEqual([
    TOKEN,
    TOKEN,
    "x9Lmq2wE7r",
    "sid=a81Fz7Kq2",
  ]);
});

const REFERENCES = (
  "${X} ${X:-} ${env:X} ${input:key} $X %X% {env:X} {{X}} op://Private/x/y vault:secret/data/x#y vault://secret/x " +
  "mcp-secret://local/a/b mcp-secrets://a/b bws://4fa0d1c2-6a1e-4c0c-9f5b-0d2a7b1c3e4f ENC[AES256_GCM,data:x] $(pass) `op` " +
  "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf /run/secrets/token file:/run/secrets/token @env:X " +
  "process.env.X keychain://a/b keyring:a/b doppler://a/b/c infisical:/a/B aws-ssm:///a/b azkv://kv/x secretRef:x " +
  "projects/p/secrets/s/versions/latest $api_key"
)
  .split(" ")
  .concat(["$(pass show a/b)", "`op read op://a/b`", "!secret a", '<%= ENV["X"] %>', "${{ secrets.X }}"]);

test.each(REFERENCES)("the reference %s is left alone wherever it stands", (reference) => {
  expect(secretsIn({ env: { ACME_TOKEN: reference, DB_PASSWORD: reference, OTHER: reference } })).toEqual([]);
  expect(
    secretsIn({ args: ["--api-key", reference, `--token=${reference}`, "-e", `ACME_TOKEN=${reference}`] }),
  ).toEqual([]);
  expect(secretsIn({ args: ["--header", `Authorization: Bearer ${reference}`] })).toEqual([]);
  expect(
    secretsIn({ url: "https://x.test", headers: { Authorization: `Bearer ${reference}`, "X-Api-Key": reference } }),
  ).toEqual([]);
});

const PLACEHOLDERS = [
  "<your key>",
  "YOUR_API_KEY",
  "your-api-key-here",
  "[AWS key]",
  "{api-key}",
  "(your key)",
  "%%TOKEN%%",
  "changeme",
  "REPLACE_ME",
  "xxxxxxxx",
  "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
  "sk-****",
  "sk-ant-api03-...",
  "eyJ…",
  "••••••••",
  "N/A",
  "TODO",
  "none",
  "00000000-0000-0000-0000-000000000000",
  "0123456789abcdef0123456789abcdef",
  "AKIAIOSFODNN7EXAMPLE",
  "acme-api-key",
  "ACME_PASSWORD",
  "xoxb-your-bot-token",
  "你的API密钥",
  "paste-token-here",
  "dummy",
  "true",
];

test.each(PLACEHOLDERS)("the placeholder %s is none", (value) => {
  expect(secretsIn({ env: { ACME_API_KEY: value, OTHER: value } })).toEqual([]);
  expect(secretsIn({ args: ["--token", value] })).toEqual([]);
});

describe("on any text", () => {
  const piece = fc.constantFrom(
    "--api-key",
    "-e",
    "--header",
    "=",
    ":",
    "://",
    "@",
    "Bearer ",
    "PASSWORD",
    "token",
    GITHUB,
    TOKEN,
    "${X}",
    '{"a":"',
    '"}',
    ";",
    " ",
    "?key=",
    "&",
    "\\",
    "'",
    "é",
    "😀",
    "user",
    "-----BEGIN PRIVATE KEY-----",
  );
  const text = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.array(piece, { maxLength: 8 }).map((parts) => parts.join("")),
  );

  test("findings are inside their text, apart from each other, and in order", () => {
    const entry = fc.record({ args: fc.array(text, { maxLength: 5 }), env: fc.dictionary(text, text, { maxKeys: 4 }) });
    fc.assert(
      fc.property(entry, (raw: EntryText) => {
        const whole = entryOf(raw);
        const findings = detect(whole);
        for (const [index, finding] of findings.entries()) {
          const next = findings[index + 1];
          expect(spanOf(whole, finding)).toHaveLength(finding.end - finding.start);
          expect(finding.end).toBeGreaterThan(finding.start);
          if (next?.pointer === finding.pointer) expect(next.start).toBeGreaterThanOrEqual(finding.end);
          expect(Buffer.from(spanOf(whole, finding)).toString()).toBe(spanOf(whole, finding));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("a minted token is found whole, in every shape that names it", () => {
    const token = fc
      .stringMatching(/^[A-Za-z0-9]{24,40}$/)
      .filter((value) => /[a-z]/.test(value) && /[A-Z]/.test(value) && /\d.*\d/.test(value));
    const vendor = fc.stringMatching(/^[A-Z]{3,8}$/);
    fc.assert(
      fc.property(token, vendor, (value, name) => {
        const lower = name.toLowerCase();
        expect(secretsIn({ env: { [`${name}_API_KEY`]: value } })).toEqual([value]);
        expect(secretsIn({ args: [`--${lower}-token`, value] })).toEqual([value]);
        expect(secretsIn({ args: [`--${lower}Token=${value}`] })).toEqual([value]);
        expect(secretsIn({ args: ["-e", `${name}_SECRET=${value}`] })).toEqual([value]);
        expect(secretsIn({ args: ["--header", `X-${name}-Key: ${value}`] })).toEqual([value]);
        expect(secretsIn({ url: `https://${lower}.test/mcp?${lower}_token=${value}` })).toEqual([value]);
        expect(secretsIn({ args: [`mysql://${lower}:${value}@db/x`] })).toEqual([value]);
      }),
    );
  });

  /** A pattern that backtracks would not come back before the test's time is over. */
  test.each([
    "a",
    "a ",
    "=",
    ";a ",
    '"a":',
    "eyJ",
    "eyJa.",
    "://",
    "http://a:",
    "@",
    "a@",
    "-",
    "${",
    "{",
    "/a",
    "Aa1",
    "--a ",
    "a=b ",
    "A_B=",
    "\\",
    "'",
    "x:",
    "\n",
    "a: b   ",
    "a=\n",
    "-p ",
    "-u x ",
    "mcp/",
  ])("a megabyte of %j", (unit) => {
    const long = unit.repeat(1_000_000 / unit.length);
    for (const value of [long, `--token=${long}`, `postgresql://a:${long}`, `{"token":"${long}`]) {
      expect(
        detect(entryOf({ args: ["--config", value, value], env: { X: value, TOKEN: value } })).length,
      ).toBeLessThan(100_000);
    }
  });
});

describe("our own references", () => {
  test.each([
    "mcp-secret://local/vespo92__opnsensemcp/OPNSENSE_API_KEY",
    "mcp-secret://local/2captcha-mcp/API_TOKEN",
    "Bearer mcp-secret://local/a/b#c",
    "postgresql://app:mcp-secret://local/db/password@host/db",
    "--token=mcp-secret://local/sk-ant-api03-AAAA/ghp_0123456789abcdefghijABCDEFGHIJklmnop",
  ])("are never found: %s", (text) => {
    const at = (pointer: string) => ({ pointer, text });
    const entry = { server: "s", pointer: "/s", kind: "stdio" as const, headers: [], command: at("/s/command") };
    const found = detect({ ...entry, args: [at("/s/args/0")], env: [{ name: "API_KEY", ...at("/s/env/API_KEY") }] });
    expect(found).toEqual([]);
  });
});
