import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { readJsonc } from "../../src/clients/jsonc-tree.ts";
import type { Node } from "../../src/clients/tree.ts";

function remove(text: string, ...pointers: string[]): string {
  return jsonc.remove(Buffer.from(text), pointers).toString();
}

test.each([
  ["the first", '{"a":[1, 2, 3]}', ["/a/0"], '{"a":[2, 3]}'],
  ["the last", '{"a":[1, 2, 3]}', ["/a/2"], '{"a":[1, 2]}'],
  ["neighbours", '{"a":[1, 2, 3]}', ["/a/0", "/a/1"], '{"a":[3]}'],
  ["all", '{"a":[1, 2, ]}', ["/a/0", "/a/1"], '{"a":[ ]}'],
  ["a member", '{"a":1, "b":2}', ["/a"], '{"b":2}'],
  ["a comment between two that go", '{"a":["x", /* why */ "y", "z"]}', ["/a/0", "/a/1"], '{"a":[/* why */ "z"]}'],
  ["a comment of the one that stays", '{"a":["x", /* z */ "z"]}', ["/a/0"], '{"a":[/* z */ "z"]}'],
  ["a comment behind the one that stays", '{"a":["x", /* x */ "z"]}', ["/a/1"], '{"a":["x" /* x */]}'],
  ["a line", '{"a":[\n  "x", // why\n  "y"\n]}', ["/a/0"], '{"a":[\n  // why\n  "y"\n]}'],
  ["a line before the end", '{"a":["x", // why\r\n  "y"]}', ["/a/1"], '{"a":["x" // why\r\n]}'],
  ["what looks like a comment", '{"a":["/* x */", "// y", "z"]}', ["/a/0", "/a/1"], '{"a":["z"]}'],
])("%s", (_, text, pointers, left) => {
  expect(remove(text, ...pointers)).toBe(left);
});

test("whatever goes, the others and every comment stay", () => {
  const gap = fc.constantFrom(" ", "", " /* c */ ", " // c\n", "\n\t");
  const list = fc.array(fc.tuple(gap, fc.integer({ min: 0, max: 99 }), gap, fc.boolean()), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(list, fc.boolean(), (items, trailing) => {
      const body = items.map(([before, value, after]) => `${before}${value}${after}`).join(",");
      const text = `{"a":[${body}${trailing ? "," : ""}\n]}`;
      const gone = items.flatMap(([, , , goes], index) => (goes ? [`/a/${index}`] : []));
      const left = remove(text, ...gone);
      expect(valuesIn(left)).toEqual(items.filter(([, , , goes]) => !goes).map(([, value]) => String(value)));
      expect(left.split("c").length).toBe(text.split("c").length);
    }),
  );
});

function valuesIn(text: string): string[] {
  const list: Node | undefined = readJsonc(Buffer.from(text)).root.members.get("a")?.value;
  return list?.type === "array" ? list.items.map((item) => (item.type === "literal" ? item.raw : "")) : [];
}
