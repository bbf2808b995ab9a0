import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { detect } from "../../src/detect/detect.ts";
import { substitute } from "../../src/launch/substitute.ts";
import { refKey } from "../../src/launch/references.ts";
import { makePlan, whyLeft } from "../../src/migrate/plan.ts";
import { unwrap } from "../../src/migrate/wrapper.ts";
import { Secret } from "../../src/core/secret.ts";
import { LAUNCHER } from "./configs.ts";

/** A secret that configs name already. */
const OTHER = [refKey({ store: "local", path: "a/b" }), new Secret("o&t/h@r")] as const;

/** What a server gets: directly, and after migrate through the launcher. */
function starts(server: object) {
  const config = JSON.stringify({ mcpServers: { s: server } });
  const entries = jsonc.parse(Buffer.from(config), ["mcpServers"]).entries;
  const inputs = entries.map((entry) => ({ entry, findings: detect(entry) }));
  const input = { path: "/c.json", client: "custom", interpolates: false, entries: inputs };
  const plan = makePlan([input], [], { store: "local", launcher: LAUNCHER });
  const values = new Map([OTHER, ...plan.secrets.map(({ ref, value }) => [refKey(ref), value] as const)]);
  const rewritten = jsonc.edit(Buffer.from(config), plan.configs[0]?.edits ?? []).toString();
  const after = jsonc.parse(Buffer.from(rewritten), ["mcpServers"]).entries[0];
  const args = (after && unwrap(after)?.args) ?? [];
  return {
    rewritten,
    stored: plan.secrets.map(({ value }) => value.expose()),
    left: plan.configs[0]?.findings.map(({ left }) => left),
    args: args.map(({ text }) => substitute(text, values)),
    env: Object.fromEntries((after?.env ?? []).map(({ name, text }) => [name, substitute(text, values)])),
  };
}

describe("a server gets the URL as it was spelled", () => {
  it.each([
    ["https://h/p?token=a%20b%2bc+d9xQw8eL2zJ", "a%20b%2bc+d9xQw8eL2zJ"],
    ["https://h/p?token=Zm9v+YmF6d8sK2==", "Zm9v+YmF6d8sK2=="],
    ["redis://:a%00b9xQw8eL@h/0", "a%00b9xQw8eL"],
    ["mysql://u:p%E9ss9x@h/db", "p%E9ss9x"],
    ["mysql://u:P@ssw0rd123@h/db", "P@ssw0rd123"],
    ["mysql://u:pa/ss:w@rd#1@h:5432/db?sslmode=require", "pa/ss:w@rd#1"],
    ["mysql://u:100%25x%7e@h/db", "100%25x%7e"],
    ["jdbc:sqlserver://db:1433;user=sa;password=lamp%409;encrypt=true", "lamp%409"],
    // Where encoding the secret gives its spelling back, the secret itself is kept.
    ["mysql://u:p%40ss%2Fw9@h/db", "p@ss/w9"],
    ["https://h/p?token=a%20b9xQw8eL2zJ", "a b9xQw8eL2zJ"],
  ])("%s", (url, stored) => {
    const started = starts({ command: "x", args: ["--url", url], env: { SOME_URL: url } });
    expect(started.args).toEqual(["--url", url]);
    expect(started.env).toEqual({ SOME_URL: url });
    expect(started.stored).toEqual([stored]);
    expect(started.rewritten).not.toContain(stored);
  });

  it("whatever its escaping, and whatever stands around it", () => {
    const piece = fc.constantFrom(
      ..."%20 %2b %2B %41 %e9 %00 % %zz + = @ / ? # & ; : ~ é 😀 Qx9 k3J9sQ2v w7Lm".split(" "),
    );
    const secret = fc.array(piece, { minLength: 1, maxLength: 6 }).map((parts) => `q7Rt2${parts.join("")}LmZx9`);
    const url = fc.constantFrom(
      (text: string) => `https://h/p?a=1&token=${text}&b=2`,
      (text: string) => `redis://user:${text}@host:6379/0`,
      (text: string) => `https://${text}@host/x?api_key=${text}`,
      (text: string) => `https://h/cb#access_token=${text}&state=a`,
      (text: string) => `jdbc:mysql://db:3306/app?user=a&password=${text}&ssl=1`,
      (text: string) => `redis://mcp-secret://local/a/b:${text}@host/0?k=mcp-secret://local/a/b#value~raw`,
      (text: string) => `{"url":"https://h/?token=${text}"}`,
      (text: string) => `curl -H "X-Api-Key: ${text}" https://u:${text}@h/?key=${text} && true`,
    );
    fc.assert(
      fc.property(url, secret, (make, text) => {
        const whole = make(text);
        const started = starts({ command: "x", args: [whole], env: { A: whole } });
        const direct = substitute(whole, new Map([OTHER]));
        if (started.rewritten.includes("--entry")) expect(started.args).toEqual([direct]);
        expect(started.env).toEqual({ A: direct });
      }),
      { numRuns: 500 },
    );
  });

  it("and a variable that the password moves to holds what the URL meant", () => {
    const url = "postgresql://a:p%40s%2fs@db/c";
    const { args, env } = starts({ command: "npx", args: ["-y", "@modelcontextprotocol/server-postgres", url] });
    expect(args.at(-1)).toBe("postgresql://a@db/c");
    expect(env).toEqual({ PGPASSWORD: "p@s/s" });
  });

  it("but no variable gets what none can hold", () => {
    const url = "postgresql://a:p%00s9@db/c";
    const { args, env } = starts({ command: "psql", args: [url] });
    expect(args).toEqual([url]);
    expect(env).toEqual({});
  });

  it("mcp-remote puts a variable in as it is", () => {
    const words = ["-y", "mcp-remote", "https://h/mcp", "--header", "X-Url:https://h/?token=a%2fb9xQw8eL2zJ"];
    const { args, env } = starts({ command: "npx", args: words });
    expect(args.at(-1)).toBe("X-Url:https://h/?token=${MCP_HEADER_X_URL}");
    expect(env).toEqual({ MCP_HEADER_X_URL: "a%2fb9xQw8eL2zJ" });
  });
});

describe("what cannot be launched is left, with the reason", () => {
  it("a secret in a variable that decides what runs", () => {
    const { left } = starts({ command: "x", env: { NODE_OPTIONS: "--import https://h/?token=q7Rt2LmZx94KvBn1Yc8W" } });
    expect(left).toEqual([expect.stringMatching(/NODE_OPTIONS/)]);
  });

  it("a number that clients spell in more than one way", () => {
    const servers = (number: string) =>
      `{"mcpServers": {"s": {"command": "x", "env": {"API_TOKEN": ${number}, "A_SECRET": "q7Rt2LmZx94KvBn1Yc8W"}}}}`;
    const left = (text: string) => {
      const entries = jsonc.parse(Buffer.from(text), ["mcpServers"]).entries;
      return entries.flatMap((entry) => whyLeft(entry, detect(entry)) ?? []);
    };
    expect(left(servers("98237498237412"))).toEqual([]);
    for (const number of ["98237498237412.0", "9823749823741298237", "9.8237498237412e13"]) {
      expect(left(servers(number))).toEqual([expect.stringMatching(/number.*quotes/)]);
    }
  });

  it("a container's variable of that kind stays in the arguments", () => {
    const words = ["run", "-e", "BASH_ENV=https://h/?token=q7Rt2LmZx94KvBn1Yc8W", "img"];
    const { args, env } = starts({ command: "docker", args: words });
    expect(args).toEqual(words);
    expect(env).toEqual({});
  });
});
