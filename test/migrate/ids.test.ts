import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { type IdHome, idsOf } from "../../src/migrate/ids.ts";

/** Servers that start under an id (`""`: not through the launcher), and the id that each is to have. */
function ids(servers: Readonly<Record<string, string>>, homes: Readonly<Record<string, IdHome>> = {}) {
  const entries = Object.entries(servers).map(([name, id]) => {
    const wrapped = { command: "/h/bin/mcp-secrets", args: ["run", "--entry", id, "--", "npx"] };
    return [name, id === "" ? { command: "npx" } : wrapped];
  });
  const text = JSON.stringify({ mcpServers: Object.fromEntries(entries) });
  const document = jsonc.parse(Buffer.from(text), ["mcpServers"]);
  const found = idsOf({ config: "/c.json", client: "c", entries: document.entries }, (id) => homes[id]);
  return Object.fromEntries([...found].map(([pointer, id]) => [pointer.split("/").at(-1) ?? "", id]));
}

const at = (server: string, config = "/c.json"): IdHome => ({ config, pointer: `/mcpServers/${server}` });

test.each<[string, Record<string, string>, Record<string, IdHome>, Record<string, string>]>([
  ["a new entry gets its own", { gh: "" }, {}, { gh: "c/gh" }],
  ["one that starts under an id keeps it, renamed too", { hub: "c/gh" }, {}, { hub: "c/gh" }],
  ["of two, the one that is called so keeps it", { gh2: "c/gh", gh: "c/gh" }, {}, { gh: "c/gh", gh2: "c/gh2" }],
  ["or the one that is approved", { gh: "c/gh", hub: "c/gh" }, { "c/gh": at("hub") }, { hub: "c/gh", gh: "c/gh-2" }],
  ["or else the first", { a: "c/gh", b: "c/gh" }, {}, { a: "c/gh", b: "c/b" }],
  ["an id that stands in another config is that one's", { gh: "d/gh" }, { "d/gh": at("gh", "/d") }, { gh: "c/gh" }],
  ["a new entry under an old name does not take its id", { hub: "c/gh", gh: "" }, {}, { hub: "c/gh", gh: "c/gh-2" }],
])("%s", (_, servers, homes, expected) => {
  expect(ids(servers, homes)).toEqual(expected);
});

test("no two entries of a config have one id, whatever they start under", () => {
  const name = fc.constantFrom("a", "b", "a-2", "a b", "constructor");
  const id = fc.constantFrom("", "c/a", "c/b", "c/a-2", "d/a");
  fc.assert(
    fc.property(
      fc.dictionary(name, id),
      fc.dictionary(
        id,
        name.map((server) => at(server)),
      ),
      (servers, homes) => {
        const standing = Object.entries(homes).filter(
          ([one, { pointer }]) => servers[pointer.split("/").at(-1) ?? ""] === one,
        );
        const found = Object.values(ids(servers, Object.fromEntries(standing)));
        expect(new Set(found).size).toBe(Object.keys(servers).length);
      },
    ),
  );
});
