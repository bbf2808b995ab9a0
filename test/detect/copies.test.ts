import { expect, test } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { detectAll } from "../../src/detect/detect.ts";

/** Every secret found in a config: where, what, and under which name. */
function found(servers: object): [pointer: string, text: string, name: string][] {
  const entries = jsonc.parse(Buffer.from(JSON.stringify({ mcpServers: servers })), ["mcpServers"]).entries;
  return detectAll(entries).flatMap(({ entry, findings }) => {
    const texts = [entry.command, ...entry.args, ...entry.env, entry.url, ...entry.headers];
    return findings.map(({ pointer, start, end, name }): [string, string, string] => {
      const text = texts.find((at) => at?.pointer === pointer)?.text.slice(start, end) ?? "";
      return [pointer.replace("/mcpServers/", ""), text, name];
    });
  });
}

test("a value that is known is found wherever it stands as a whole token", () => {
  const args = ["--key", "Sub9xQw8Kp2", "pre-Sub9xQw8Kp2", "xSub9xQw8Kp2", "Sub9xQw8Kp2x", "a=Sub9xQw8Kp2;Sub9xQw8Kp2"];
  expect(found({ s: { command: "x", args, env: { API_KEY: "Sub9xQw8Kp2" } } })).toEqual([
    ["s/env/API_KEY", "Sub9xQw8Kp2", "API_KEY"],
    ["s/args/1", "Sub9xQw8Kp2", "API_KEY"],
    ["s/args/2", "Sub9xQw8Kp2", "API_KEY"],
    ["s/args/5", "Sub9xQw8Kp2", "API_KEY"],
    ["s/args/5", "Sub9xQw8Kp2", "API_KEY"],
  ]);
});

test("also in another entry, before or behind it, in a command, a header and a URL", () => {
  const secret = "P@ss-w0rd/9";
  expect(
    found({
      a: { command: `x ${secret}`, args: ["y"] },
      b: { url: `https://h/x?q=${encodeURIComponent(secret)}`, headers: { "X-Team": secret } },
      c: { command: "x", env: { DB_PASSWORD: secret, OTHER: `[${secret}]` } },
    }),
  ).toEqual([
    ["a/command", secret, "DB_PASSWORD"],
    ["b/url", encodeURIComponent(secret), "DB_PASSWORD"],
    ["b/headers/X-Team", secret, "DB_PASSWORD"],
    ["c/env/DB_PASSWORD", secret, "DB_PASSWORD"],
    ["c/env/OTHER", secret, "DB_PASSWORD"],
  ]);
});

test("a password of a URL is found without its escapes", () => {
  const env = { URL: "redis://u:q%40x9Lm2w@h/0", ARG: "q@x9Lm2w" };
  expect(found({ s: { command: "x", env } }).map(([, text]) => text)).toEqual(["q%40x9Lm2w", "q@x9Lm2w"]);
});

test("no word and no user name becomes a secret because a password is the same", () => {
  const url = "postgresql://postgres1:postgres1@postgres1.test/postgres1";
  const env = { DB_PASSWORD: "reports-app", DB_USER: "reports-app", PGPASSWORD: "postgres1" };
  expect(found({ s: { command: "x", args: [url], env } }).map(([pointer]) => pointer)).toEqual([
    "s/args/0",
    "s/env/DB_PASSWORD",
    "s/env/PGPASSWORD",
  ]);
});

test("a path in one of our references is no copy", () => {
  const args = ["mcp-secret://local/s/k3J9sQ2vXw7L", "k3J9sQ2vXw7L"];
  expect(found({ s: { command: "x", args, env: { K_TOKEN: "k3J9sQ2vXw7L" } } }).map(([at]) => at)).toEqual([
    "s/env/K_TOKEN",
    "s/args/1",
  ]);
});

test("numbers: a secret as a whole where the name says so, and its copies", () => {
  const env = {
    API_TOKEN: 98_237_498_237_412,
    PORT: 8080,
    PASSWORD: 123_456,
    ON: true,
    MAX_TOKENS: 98_237_498_237_412,
  };
  expect(found({ s: { command: "x", args: ["--id", 98_237_498_237_412], env } })).toEqual([
    ["s/env/API_TOKEN", "98237498237412", "API_TOKEN"],
    ["s/env/PASSWORD", "123456", "PASSWORD"],
    ["s/args/1", "98237498237412", "API_TOKEN"],
    ["s/env/MAX_TOKENS", "98237498237412", "API_TOKEN"],
  ]);
});

test("ten thousand secrets in one config are searched for at once", () => {
  const servers = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, at) => [`s${at}`, { command: "x", env: { K_TOKEN: `tok-live-Qx7w${at}Zr` } }]),
  );
  expect(found({ ...servers, last: { command: "x", args: ["a tok-live-Qx7w77Zr b"] } }).at(-1)).toEqual([
    "last/args/0",
    "tok-live-Qx7w77Zr",
    "K_TOKEN",
  ]);
});
