import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Edit } from "../../src/clients/document.ts";
import { jsonc } from "../../src/clients/jsonc.ts";
import { changedOnly } from "../../src/clients/jsonc-check.ts";
import { readJsonc } from "../../src/clients/jsonc-tree.ts";
import { childPointer } from "../../src/clients/tree.ts";
import { UserError } from "../../src/errors.ts";
import { documents, join, spelled } from "./documents.ts";
import type { Spelled } from "./documents.ts";

const edit = (text: string, ...edits: Edit[]) => jsonc.edit(Buffer.from(text), edits).toString();
const replace = (pointer: string, start: number, end: number, text: string): Edit => ({
  type: "replace",
  pointer,
  start,
  end,
  text,
});
const spell = (pointer: string, end: number, text: string): Edit => {
  return { type: "replace", pointer, start: 0, end, text, literal: true };
};
const prepend = (pointer: string, ...items: string[]): Edit => ({ type: "prepend", pointer, items });
const add = (pointer: string, name: string, text: string): Edit => ({ type: "add", pointer, name, text });

describe("replace", () => {
  test("keeps every other byte of the string", () => {
    const text = `{"k": "\\u0041\\/b\\u00e9😀-secret-\\u000a\\"z"}`;
    expect(edit(text, replace("/k", 7, 13, 'a"\\\u0001'))).toBe(
      `{"k": "\\u0041\\/b\\u00e9😀-a\\"\\\\\\u0001-\\u000a\\"z"}`,
    );
  });

  test("several parts of one string, in any order of the edits", () => {
    const text = `{"k": "aa-bb-cc"}`;
    expect(edit(text, replace("/k", 6, 8, "3"), replace("/k", 0, 2, "1"), replace("/k", 3, 5, ""))).toBe(
      `{"k": "1--3"}`,
    );
  });

  test("a name that needs escapes in its pointer, and an item", () => {
    expect(edit(`{"a/b~c": ["x", "y"]}`, replace("/a~1b~0c/1", 0, 1, "z"))).toBe(`{"a/b~c": ["x", "z"]}`);
  });

  test("a number becomes a string, and a string a number", () => {
    const string = `{"n": "mcp-secret://local/a\\"", "m": [1.0]}`;
    expect(edit(`{"n": 12, "m": [1.0]}`, replace("/n", 0, 2, 'mcp-secret://local/a"'))).toBe(string);
    expect(edit(string, spell("/n", 21, "-1.50e3"))).toBe(`{"n": -1.50e3, "m": [1.0]}`);
  });

  test("an edit that does not fit the file is a bug", () => {
    const text = `{"k": "abc", "n": 1, "on": true, "list": ["x"]}`;
    const bad: Edit[][] = [
      [replace("/none", 0, 1, "")],
      [replace("/n", 0, 2, "")],
      [replace("/n", 1, 1, "")],
      [replace("/n", 0, 1, "a"), replace("/n", 1, 1, "b")],
      [replace("/on", 0, 4, "")],
      [spell("/k", 3, "1x")],
      [spell("/k", 2, "1")],
      [replace("/k", 0, 4, "")],
      [replace("/k", 2, 1, "")],
      [replace("/k", 0, 2, "x"), replace("/k", 1, 3, "y")],
      [replace("/list/01", 0, 1, "")],
      [prepend("/k", "x")],
      [prepend("/none/deeper", "x")],
      [add("/list", "a", "b")],
      [add("", "k", "again")],
      [add("", "new", "1"), add("", "new", "2")],
      [add("/new", "a", "1"), prepend("/new", "2")],
    ];
    for (const edits of bad) {
      expect(() => edit(text, ...edits)).toThrow(Error);
      expect(() => edit(text, ...edits)).not.toThrow(UserError);
    }
  });

  test("a file that is no config is a UserError", () => {
    expect(() => edit(`{"k": 1, "k": 2}`, replace("/k", 0, 0, ""))).toThrow(UserError);
  });
});

describe("prepend", () => {
  test.each([
    ["one line", `{"args": ["a", "b"]}`, `{"args": ["1", "2", "a", "b"]}`],
    ["one line, tight", `{"args":["a","b"]}`, `{"args":["1","2","a","b"]}`],
    ["one line, one item, tight", `{"args":["a"]}`, `{"args":["1","2","a"]}`],
    ["lines", `{\n\t"args": [\n\t\t"a"\n\t]\n}`, `{\n\t"args": [\n\t\t"1",\n\t\t"2",\n\t\t"a"\n\t]\n}`],
    ["CRLF", `{\r\n  "args": [\r\n    "a"]}`, `{\r\n  "args": [\r\n    "1",\r\n    "2",\r\n    "a"]}`],
    ["comment", `{\n "args": [ // c\n  "a", ]}`, `{\n "args": [ // c\n  "1",\n  "2",\n  "a", ]}`],
    ["empty", `{"args": []}`, `{"args": ["1", "2"]}`],
    ["empty among lines", `{\n  "args": []\n}`, `{\n  "args": [\n    "1",\n    "2"\n  ]\n}`],
    ["empty with a comment", `{"args": [ /* c */ ]}`, `{"args": ["1", "2" /* c */ ]}`],
    ["missing", `{"command": "x"}`, `{"command": "x", "args": ["1", "2"]}`],
    ["missing among lines", `{\n  "command": "x"\n}`, `{\n  "command": "x",\n  "args": [\n    "1",\n    "2"\n  ]\n}`],
  ])("%s", (_, before, after) => {
    expect(edit(before, prepend("/args", "1"), prepend("/args", "2"))).toBe(after);
  });
});

describe("add", () => {
  test.each([
    ["one line", `{"env": {"a": "1"}}`, `{"env": {"a": "1", "B": "2"}}`],
    ["tight", `{"env":{"a":"1"}}`, `{"env":{"a":"1","B":"2"}}`],
    ["lines", `{\n "env": {\n  "a": "1"\n }\n}`, `{\n "env": {\n  "a": "1",\n  "B": "2"\n }\n}`],
    ["trailing comma", `{\n "env": {\n  "a": "1",\n }\n}`, `{\n "env": {\n  "a": "1",\n  "B": "2",\n }\n}`],
    ["trailing comma on one line", `{"env": {"a": "1",}}`, `{"env": {"a": "1", "B": "2",}}`],
    [
      "comment on the last line",
      `{\n "env": {\n  "a": "1" // of a\n }\n}`,
      `{\n "env": {\n  "a": "1", // of a\n  "B": "2"\n }\n}`,
    ],
    [
      "trailing comma and comment",
      `{\n "env": {\n  "a": "1", // of a\n  // more\n }\n}`,
      `{\n "env": {\n  "a": "1", // of a\n  "B": "2",\n  // more\n }\n}`,
    ],
    ["empty", `{"env": {}}`, `{"env": {"B": "2"}}`],
    ["empty among lines", `{\r\n\t"env": {}\r\n}`, `{\r\n\t"env": {\r\n\t\t"B": "2"\r\n\t}\r\n}`],
    ["empty, open", `{\n  "env": {\n  }\n}`, `{\n  "env": {\n    "B": "2"\n  }\n}`],
    ["missing", `{"command": "x"}`, `{"command": "x", "env": {"B": "2"}}`],
    ["missing among lines", `{\n  "command": "x"\n}`, `{\n  "command": "x",\n  "env": {\n    "B": "2"\n  }\n}`],
    ["missing in an empty root", `{}`, `{"env": {"B": "2"}}`],
  ])("%s", (_, before, after) => {
    expect(edit(before, add("/env", "B", "2"))).toBe(after);
  });

  test("an entry that gets everything at once", () => {
    const before = `\uFEFF{
  "mcpServers": {
    "db": { // mine
      "command": "npx",
      "args": ["-y", "server", "postgresql://u:pw@h/d"]
    },
  },
}
`;
    const at = "/mcpServers/db";
    const edits = [
      replace(`${at}/command`, 0, 3, "/bin/mcp-secrets"),
      prepend(`${at}/args`, "run", "--entry", "c/db", "--", "npx"),
      replace(`${at}/args/2`, 15, 17, "mcp-secret://local/db/password"),
      add(`${at}/env`, "A", "1"),
      add(`${at}/env`, "__proto__", "2"),
    ];
    expect(edit(before, ...edits)).toBe(`\uFEFF{
  "mcpServers": {
    "db": { // mine
      "command": "/bin/mcp-secrets",
      "args": ["run", "--entry", "c/db", "--", "npx", "-y", "server", "postgresql://u:mcp-secret://local/db/password@h/d"],
      "env": {
        "A": "1",
        "__proto__": "2"
      }
    },
  },
}
`);
  });
});

describe("on random documents", () => {
  /** A string cut in three, with the middle to be replaced. */
  const cut = fc.tuple(spelled, fc.stringMatching(/^[a-zA-Z0-9@:/#]{0,9}$/), spelled);

  test("a replaced part put back gives the same bytes", () => {
    fc.assert(
      fc.property(documents, fc.array(cut, { minLength: 1, maxLength: 5 }), fc.string(), ({ text }, cuts, put) => {
        const values = cuts.map(([before, middle, after]) => join([before, { value: middle, raw: middle }, after]));
        const list = values.map(({ raw }) => `"${raw}"`).join(", ");
        const original = Buffer.from(text.replace('"n"', () => `"list": [${list}], "n"`));
        const ranges = cuts.map(([before, middle]) => [before.value.length, middle.length] as const);
        const there = ranges.map(([start, length], at) => replace(`/list/${at}`, start, start + length, put));
        const back = ranges.map(([start], at) =>
          replace(`/list/${at}`, start, start + put.length, cuts[at]?.[1] ?? ""),
        );
        const edited = jsonc.edit(original, there);
        expect(readJsonc(edited).root.members.get("list")?.value).toMatchObject({
          items: cuts.map(([before, , after]) => ({ value: before.value + put + after.value })),
        });
        expect(jsonc.edit(edited, back).equals(original)).toBe(true);
      }),
    );
  });

  test("what was there stays, in its order, and what was added is there", () => {
    fc.assert(
      fc.property(documents, fc.array(fc.string()), fc.array(fc.string()), ({ text, servers }, items, values) => {
        const at = (name: Spelled) => childPointer("/mcpServers", name.value);
        const edits = servers.flatMap(({ name }) => [
          prepend(`${at(name)}/args`, ...items),
          ...values.map((value, index) => add(`${at(name)}/env`, `new${index}`, value)),
          replace(`${at(name)}/command`, 0, 1, "y"),
        ]);
        const after = edit(text, ...edits);
        expect(isSubsequence(text, after)).toBe(true);
        const entries = jsonc.parse(Buffer.from(after), ["mcpServers"]).entries;
        const added = values.map((value, index) => [`new${index}`, value]);
        expect(
          entries.map(({ server, command, args, env }) => [server, command?.text, textsOf(args), pairsOf(env)]),
        ).toEqual(
          servers.map(({ name, args, env }) => [
            name.value,
            "y",
            [...items, ...(args ?? []).map(({ value }) => value)],
            [...(env ?? []).map(([key, value]) => [key.value, value.value]), ...added],
          ]),
        );
      }),
      { numRuns: 300 },
    );
  });

  test("no edits, no change; and reading agrees with the model", () => {
    fc.assert(
      fc.property(documents, ({ text, servers }) => {
        expect(edit(text)).toBe(text);
        const { entries, problems } = jsonc.parse(Buffer.from(text), ["mcpServers"]);
        expect(problems).toEqual([]);
        expect(entries.map(({ args }) => textsOf(args))).toEqual(
          servers.map(({ args }) => (args ?? []).map(({ value }) => value)),
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe("changedOnly", () => {
  const root = (text: string) => readJsonc(Buffer.from(text)).root;
  const before = root(`{"a": "xy", "n": 1.0, "list": ["p"]}`);

  test.each([
    [`{"a": "zy", "n": 1.0, "list": ["p"]}`, [replace("/a", 0, 1, "z")], true],
    [`{"a": "zy", "n": 1, "list": ["p"]}`, [replace("/a", 0, 1, "z")], false],
    [`{"a": "xy", "n": 1.0, "list": ["p"]}`, [replace("/a", 0, 1, "z")], false],
    [`{"n": 1.0, "a": "xy", "list": ["p"]}`, [], false],
    [`{"a": "xy", "n": 1.0, "list": ["p", "q"]}`, [], false],
    [`{"a": "xy", "n": 1.0, "list": {"p": 1}}`, [], false],
    [`{"a": "xy", "n": 1.0, "list": ["q", "p"]}`, [prepend("/list", "q")], true],
    [`{"a": "xy", "n": 1.0, "list": ["p", "q"]}`, [prepend("/list", "q")], false],
    [`{"a": "xy", "n": 1.0, "list": ["p"], "b": "c"}`, [add("", "b", "c")], true],
    [`{"a": "xy", "n": 1.0, "list": ["p"], "b": "d"}`, [add("", "b", "c")], false],
  ])("%s", (after, edits, expected) => {
    expect(changedOnly(before, root(after), edits)).toBe(expected);
  });
});

test("10,000 secrets in one file, and on one line", () => {
  const names = Array.from({ length: 10_000 }, (_, at) => `s${at}`);
  const servers = names.map((name, at) => [name, { command: "x", args: ["a"], env: { K: `v${at}` } }]);
  for (const indent of [0, 2]) {
    const text = JSON.stringify({ mcpServers: Object.fromEntries(servers) }, null, indent);
    const edits = names.flatMap((name) => [
      replace(`/mcpServers/${name}/env/K`, 0, 2, "ref"),
      prepend(`/mcpServers/${name}/args`, "run"),
      add(`/mcpServers/${name}/env`, "L", "1"),
      add(`/mcpServers/${name}/more`, "M", "1"),
    ]);
    const { entries } = jsonc.parse(Buffer.from(edit(text, ...edits)), ["mcpServers"]);
    expect(entries).toHaveLength(10_000);
    expect(entries.at(-1)?.env.map((member) => member.text)).toEqual(["ref999", "1"]);
  }
});

const textsOf = (list: readonly { text: string }[]) => list.map(({ text }) => text);
const pairsOf = (list: readonly { name: string; text: string }[]) => list.map(({ name, text }) => [name, text]);

/** The command's one character is replaced, so it may differ. */
function isSubsequence(part: string, whole: string): boolean {
  const wanted = part.replaceAll('"x"', '"y"');
  let at = 0;
  for (const char of whole) if (wanted.startsWith(char, at)) at += char.length;
  return at === wanted.length;
}
