import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { readJsonc } from "../../src/clients/jsonc-tree.ts";
import type { Node } from "../../src/clients/tree.ts";
import { UserError } from "../../src/errors.ts";

const parse = (text: string | Buffer) => jsonc.parse(Buffer.from(text), ["mcpServers"]);

function problemOf(text: string | Buffer): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof UserError) {
      expect(error.code).toBe("config-invalid");
      expect(error.exit).toBe(65);
      return error.message;
    }
    throw error;
  }
  return "no error";
}

describe("entries", () => {
  test("a stdio entry and a remote one, with pointers into the file", () => {
    const { entries, problems } = parse(`\uFEFF// mine
    {
      "theme": 1e400, "mcpServers": {
        "a/b~c": { "command": "npx", "args": ["-y", "p\\u0061ckage",], "env": { "KEY": "v/1" }, "disabled": false },
        /* remote */ "web": { "type": "http", "url": "https://x.test/mcp", "headers": { "Authorization": "Bearer t" } },
      },
    }`);
    expect(problems).toEqual([]);
    expect(entries).toEqual([
      {
        server: "a/b~c",
        pointer: "/mcpServers/a~1b~0c",
        kind: "stdio",
        command: { pointer: "/mcpServers/a~1b~0c/command", text: "npx" },
        args: [
          { pointer: "/mcpServers/a~1b~0c/args/0", text: "-y" },
          { pointer: "/mcpServers/a~1b~0c/args/1", text: "package" },
        ],
        env: [{ name: "KEY", pointer: "/mcpServers/a~1b~0c/env/KEY", text: "v/1" }],
        headers: [],
      },
      {
        server: "web",
        pointer: "/mcpServers/web",
        kind: "remote",
        url: { pointer: "/mcpServers/web/url", text: "https://x.test/mcp" },
        args: [],
        env: [],
        headers: [{ name: "Authorization", pointer: "/mcpServers/web/headers/Authorization", text: "Bearer t" }],
      },
    ]);
  });

  test("names that are members of every object are names like others", () => {
    const { entries } = parse(`{"mcpServers":{"__proto__":{"command":"a","env":{"constructor":"x","__proto__":"y"}}}}`);
    expect(entries.map((entry) => entry.server)).toEqual(["__proto__"]);
    expect(entries[0]?.env.map(({ name, text }) => [name, text])).toEqual([
      ["constructor", "x"],
      ["__proto__", "y"],
    ]);
    expect(parse(`{}`).entries).toEqual([]);
    expect(jsonc.parse(Buffer.from("{}"), ["constructor"]).entries).toEqual([]);
  });

  test.each([
    [`"text"`, "the entry must be an object"],
    [`null`, "the entry must be an object"],
    [`{"command": 1}`, "command must be a string"],
    [`{"command": "x", "args": "y"}`, "args must be an array of strings"],
    [`{"command": "x", "args": ["y", {}]}`, "args must be an array of strings"],
    [`{"command": "x", "args": null}`, "args must be an array of strings"],
    [`{"command": "x", "env": []}`, "env must be an object of strings"],
    [`{"command": "x", "env": {"PORT": null}}`, "env must be an object of strings"],
    [`{"url": "x", "headers": {"A": ["b"]}}`, "headers must be an object of strings"],
    [`{"url": {}}`, "url must be a string"],
    [`{"disabled": true}`, "the entry has neither command nor url"],
  ])("%s is a problem of its entry alone", (entry, problem) => {
    const document = parse(`{"mcpServers": {"bad": ${entry}, "good": {"command": "x"}}}`);
    expect(document.problems).toEqual([{ server: "bad", pointer: "/mcpServers/bad", problem }]);
    expect(document.entries.map(({ server }) => server)).toEqual(["good"]);
  });

  test("a key path of several keys, missing or of the wrong type", () => {
    const nested = Buffer.from(`{"mcp": {"servers": {"a": {"command": "x"}}}, "list": []}`);
    expect(jsonc.parse(nested, ["mcp", "servers"]).entries[0]?.pointer).toBe("/mcp/servers/a");
    expect(jsonc.parse(nested, ["mcp", "others"])).toEqual({ entries: [], problems: [] });
    expect(() => jsonc.parse(nested, ["list"])).toThrow("1:55: list must be an object");
  });
});

describe("bad input", () => {
  test.each([
    ["", "1:1: unexpected end of file"],
    [" // c\n", "2:1: unexpected end of file"],
    ["null", "1:1: the file must hold one object"],
    ["[]", "1:1: the file must hold one object"],
    [`{"a": 1`, "1:8: unexpected end of file"],
    [`{"a": 1} {}`, "1:10: something follows the end of the object"],
    [`{"a" 1}`, "1:6: expected a colon"],
    [`{"a": }`, "1:7: expected a value"],
    [`{"a": 1 "b": 2}`, "1:9: expected a comma or the end of the object"],
    [`{"a": [1 2]}`, "1:10: expected a comma or the end of the array"],
    [`{"a": [1}}`, "1:9: expected a comma or the end of the array"],
    [`{,}`, "1:2: expected a name in double quotes"],
    [`{"a": [,]}`, "1:8: expected a value"],
    [`{"a": [1,,]}`, "1:10: expected a value"],
    [`{a: 1}`, "1:2: expected a name in double quotes"],
    [`{'a': 1}`, "1:2: expected a name in double quotes"],
    [`{"a": 01}`, "1:8: expected a comma or the end of the object"],
    [`{"a": +1}`, "1:7: expected a value"],
    [`{"a": NaN}`, "1:7: expected a value"],
    [`{"a": 1.}`, "1:7: number without an end"],
    [`{"a": "b\n"}`, "1:7: string without an end"],
    [`{"a": "b\\q"}`, "1:7: unknown escape in a string"],
    [`{"a": "b\\u12"}`, "1:7: malformed unicode escape"],
    [`{"a": "b\u0000"}`, "1:7: control character in a string"],
    [`{\u0000}`, "1:2: expected a name in double quotes"],
    [`{"a": "b\tc"}`, "1:7: control character in a string"],
    [`{"a": 1 /* c}`, "1:9: comment without an end"],
    [`{"a":\u00a01}`, "1:6: expected a value"],
    [`{"mcpServers": []}`, "1:16: mcpServers must be an object"],
    [`{"mcpServers": null}`, "1:16: mcpServers must be an object"],
    [`\uFEFF{\r\n  "a": 1,\r  "b": x}`, "3:8: expected a value"],
  ])("%j", (text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });

  test("duplicate keys, however they are spelled and however deep", () => {
    expect(problemOf(`{\n  "a": 1,\n  "\\u0061": 2\n}`)).toBe("3:3: duplicate key, first used at line 2, column 3");
    expect(problemOf(`{"x": [{"y": {"__proto__": 1, "__proto__": 2}}]}`)).toContain("1:31: duplicate key");
    expect(problemOf(`{"a": {"b": 1}, "c": {"b": 1}}`)).toBe("no error");
  });

  test("bytes that are not UTF-8, with their place", () => {
    const bytes = Buffer.from(`{\n "é": "?"}`);
    bytes[bytes.indexOf("?")] = 0xff;
    expect(problemOf(bytes)).toBe("2:8: not UTF-8");
    expect(problemOf(Buffer.from([0xfe, 0xff, 0, 0x7b]))).toBe("1:1: not UTF-8");
    expect(problemOf(Buffer.from([0x7b, 0xe2, 0x82]))).toContain("not UTF-8");
    expect(problemOf(Buffer.from([0x7b, 0xed, 0xa0, 0x80]))).toContain("1:2: not UTF-8");
  });

  test("what is too deep or too large", () => {
    const nested = (depth: number) => `{"a":`.repeat(depth) + "1" + "}".repeat(depth);
    expect(problemOf(nested(512))).toBe("no error");
    expect(problemOf(nested(513))).toContain("nested deeper than 512 levels");
    expect(problemOf(nested(100_000))).toContain("nested deeper than 512 levels");
    expect(problemOf("[".repeat(100_000))).toContain("nested deeper than 512 levels");
    expect(problemOf(Buffer.alloc(50 * 1024 * 1024, " "))).toBe("1:1: larger than 16 MiB");
    expect(problemOf(Buffer.alloc(16 * 1024 * 1024, " "))).toContain("unexpected end of file");
    expect(problemOf(`{"a": [${"0,".repeat(1_100_000)}]}`)).toContain("more than a million values");
    expect(problemOf(`{"a": "${"\\n".repeat(8_000_000)}"`)).toContain("unexpected end of file");
  });

  test("never quotes the file", () => {
    fc.assert(
      fc.property(fc.constantFrom("}", ":", "\\q", "\n", `" "`, `": {]`, `": 1, "k`), (noise) => {
        expect(problemOf(`{"mcpServers": {"k": "hunter2${noise}hunter2"}`)).not.toContain("hunter2");
      }),
    );
  });
});

describe("agreement with JSON.parse", () => {
  test("every object that JSON.parse reads without losing a key is read the same", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(plain(readJsonc(Buffer.from(JSON.stringify(value, null, 1))).root)).toEqual(
          JSON.parse(JSON.stringify(value)),
        );
      }),
    );
  });

  test("random text and random damage give a tree or a UserError", () => {
    const good = Buffer.from(
      `{"mcpServers": {"a": {"command": "x", "args": ["1", /* c */ "é\\n"], "env": {"K": "v"}}}}`,
    );
    const damage = fc.record({ at: fc.nat(good.length), drop: fc.nat(3), put: fc.uint8Array({ maxLength: 4 }) });
    const damaged = damage.map(({ at, drop, put }) =>
      Buffer.concat([good.subarray(0, at), put, good.subarray(at + drop)]),
    );
    const alphabet = fc.constantFrom(...Array.from('{}[]:,"\\/*u0a1.eE-+ \t\r\n\uFEFF\u0000é😀'));
    const soup = fc.array(alphabet, { maxLength: 40 }).map((chars) => Buffer.from(chars.join("")));
    const noise = fc.uint8Array().map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(damaged, soup, noise), (bytes) => {
        expect(problemOf(bytes)).toBeTypeOf("string");
      }),
      { numRuns: 3000 },
    );
  });
});

function plain(node: Node): unknown {
  switch (node.type) {
    case "object":
      return Object.fromEntries([...node.members].map(([name, { value }]) => [name, plain(value)]));
    case "array":
      return node.items.map(plain);
    case "string":
      return node.value;
    case "literal":
      return JSON.parse(node.raw);
  }
}

test("a number or a truth value where a string belongs spoils nothing", () => {
  const text = `{"mcpServers": {"s": {"command": "x", "args": ["y", 1.0], "env": {"PORT": 8080, "ON": true, "K": "v"}}}}`;
  const { entries, problems } = jsonc.parse(Buffer.from(text), ["mcpServers"]);
  expect(problems).toEqual([]);
  expect(entries[0]?.args[1]).toEqual({ pointer: "/mcpServers/s/args/1", text: "1", literal: "1.0" });
  expect(entries[0]?.env.map(({ name, literal }) => [name, literal])).toEqual([
    ["PORT", "8080"],
    ["ON", "true"],
    ["K", undefined],
  ]);
});
