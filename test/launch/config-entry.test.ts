import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { launchedEntry } from "../../src/launch/config-entry.ts";

const pointer = "/mcpServers/a~1b";
const entry = { command: "/l", args: ["run", "--entry", "c/a/b", "--", "npx", "//x", "/* y */"], env: { A: "1,}" } };
const id = "c/a/b";
const view = { program: "/l", words: ["npx", "//x", "/* y */"], env: { A: "1,}" }, members: {} };

test("JSON, with and without a byte order mark", () => {
  const text = JSON.stringify({ mcpServers: { "a/b": entry } }, null, 2);
  expect(launchedEntry(text, pointer, id)).toEqual(view);
  expect(launchedEntry(`\u{FEFF}${text}`, pointer, id)).toEqual(view);
});

test("JSONC: comments and trailing commas go, strings that look like them stay", () => {
  const text = `// c
  { /* "mcpServers": 1 */ "mcpServers": { "a/b": { "command": "/l", // "x"
    "args": ["run", "--entry", "c/a/b", "--", "npx", "//x", "/* y */" /* last */ , ], // ,
    "env": { "A": "1,}", /* c */ // d
    }, } } }`;
  expect(launchedEntry(text, pointer, id)).toEqual(view);
});

// A launch that takes forever is none: what takes time that doubles with each of them does not end here.
test.each([
  ["a line of slashes", `// ${"/".repeat(200)}\n`],
  ["block comments beside each other", "/**/".repeat(5_000)],
  ["blanks", " ".repeat(50_000)],
])("a comma before %s", (_, between) => {
  const whole = JSON.stringify({ mcpServers: { "a/b": entry } });
  expect(launchedEntry(`{"x": 1,${between}${whole.slice(1, -1)},${between}}`, pointer, id)).toEqual(view);
});

test("comments without an end, thousands of them", () => {
  expect(launchedEntry(`{"mcpServers": ${'/* "'.repeat(50_000)}`, pointer, id)).toBeUndefined();
});

test("any string survives, whatever it looks like", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), fc.string(), (args, value) => {
      const config = {
        mcpServers: { "a/b": { command: "/l", args: ["run", "--entry", id, "--", ...args], env: { V: value } } },
      };
      const commented = JSON.stringify(config, null, 1).replaceAll(/\n( *[\]}])/g, ",// c\n$1");
      expect(launchedEntry(`${commented}/* end`.replace("/* end", ""), pointer, id)).toEqual({
        program: "/l",
        words: args,
        env: { V: value },
        members: {},
      });
    }),
  );
});

test("what else decides what the client starts is read as JSON, and what does not is left", () => {
  const more = { cwd: "/x", disabled: true, sandbox: { b: 1, a: [1.5, null] }, envFile: ".env", autoApprove: [] };
  const text = JSON.stringify({ mcpServers: { "a/b": { ...entry, ...more } } });
  const members = { cwd: '"/x"', sandbox: '{"b":1,"a":[1.5,null]}', envFile: '".env"' };
  expect(launchedEntry(text, pointer, id)).toEqual({ ...view, members });
  expect(jsonc.parse(Buffer.from(text), ["mcpServers"]).entries[0]?.members).toEqual(members);
});

test.each([
  ["not JSON", "{"],
  ["no such entry", '{"mcpServers":{}}'],
  ["an entry of another program", '{"mcpServers":{"a/b":{"command":"npx","args":["x"]}}}'],
  ["no arguments", '{"mcpServers":{"a/b":{"command":"/l"}}}'],
  ["an env that is no object", '{"mcpServers":{"a/b":{"args":["run","--entry","c/a/b","--","x"],"env":[]}}}'],
  ["another id", '{"mcpServers":{"a/b":{"command":"/l","args":["run","--entry","c/other","--","x"]}}}'],
  [
    "words of ours that were added to",
    '{"mcpServers":{"a/b":{"command":"/l","args":["run","-x","--entry","c/a/b","--","x"]}}}',
  ],
  [
    "a program in front",
    '{"mcpServers":{"a/b":{"command":"env","args":["A=1","/l","run","--entry","c/a/b","--","x"]}}}',
  ],
  [
    "a second entry of the same id",
    '{"mcpServers":{"a/b":{"command":"/l","args":["run","--entry","c/a/b","--","x"]},"twin":{"args":["run","--entry","c/a/b","--","x"]}}}',
  ],
  ["an entry that is a list", '{"mcpServers":{"a/b":[]}}'],
])("%s is no launched entry", (_, text) => {
  expect(launchedEntry(text, pointer, id)).toBeUndefined();
});

test("what many clients take as text is text", () => {
  const text =
    '{"mcpServers":{"a/b":{"command":"/l","args":["run","--entry","c/a/b","--","x",1],"env":{"A":1,"B":true}}}}';
  expect(launchedEntry(text, pointer, id)).toMatchObject({ words: ["x", "1"], env: { A: "1", B: "true" } });
});
