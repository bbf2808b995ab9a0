import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFiles } from "../src/io/files.ts";
import { readSettings, withDefault, withStore, withTexts } from "../src/settings.ts";

function place(text?: string) {
  const home = mkdtempSync(join(tmpdir(), "settings-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  if (text !== undefined) writeFileSync(join(home, "config.jsonc"), text);
  return { home, files: createFiles({ platform: process.platform, random: () => "x" }) };
}

test("without a file there is the local store only", () => {
  expect(readSettings(place())).toEqual({ stores: [], defaultStore: "local" });
});

test("a store's own settings are handed on as they are", () => {
  const text = `{ // ours\n "defaultStore": "team", "stores": { "team": { "provider": "vault", "a": [1, true, null, {"b": "c"}], }, } }`;
  expect(readSettings(place(text))).toEqual({
    stores: [{ name: "team", provider: "vault", settings: { a: [1, true, null, { b: "c" }] } }],
    defaultStore: "team",
  });
});

test.each([
  ["{", "unexpected end"],
  [`{"stores": []}`, "stores must be an object"],
  [`{"stores": {"local": {"provider": "vault"}}}`, "a name that no store can have"],
  [`{"stores": {"A": {"provider": "vault"}}}`, "a name that no store can have"],
  [`{"stores": {"team": "vault"}}`, "stores.team must be an object"],
  [`{"stores": {"team": {"provider": "local"}}}`, "stores.team.provider must be one of vault"],
  [`{"stores": {"team": {"provider": "vault"}, "team": {"provider": "vault"}}}`, "duplicate key"],
  [`{"defaultStore": 1}`, "defaultStore must be the name of a store"],
  [`{"defaultStore": "team"}`, "defaultStore names no store"],
])("%s is an error", (text, message) => {
  expect(() => readSettings(place(text))).toThrow(message);
});

test("a store is added and a default chosen with every other byte as it was", () => {
  const cases = [
    undefined,
    "{}\n",
    '{\n  // first\n  "policy": 1 // kept\n}\n',
    '{\r\n  "stores": {}, // none yet\r\n}',
    `{ "stores": { "one": { "provider": "vault" }, /* two */ } }`,
  ];
  for (const before of cases) {
    const at = place(before);
    const added = withStore(at, "team", { provider: "vault", addresses: ["https://v"] });
    const chosen = withDefault(place(added), "team");
    const settings = readSettings(place(chosen));
    expect(settings.defaultStore).toBe("team");
    expect(settings.stores.at(-1)).toEqual({ name: "team", provider: "vault", settings: { addresses: ["https://v"] } });
    for (const comment of ["// first", "// kept", "// none yet", "/* two */"]) {
      expect(chosen.includes(comment)).toBe(before?.includes(comment) ?? false);
    }
    const again = withDefault(place(chosen), "local");
    expect(readSettings(place(again)).defaultStore).toBe("local");
    expect(() => withStore(place(chosen), "team", {})).toThrow("there is a store team already");
  }
});

test("texts of one member are changed, names included, and every other byte stays", () => {
  const text = `\uFEFF{ // b\r\n  "a": "old",\r\n "r" : {"o\\u006cd":\t[ "old", 1e1, {"x":"bold"}, ] /* old */ , "y": "old"},}`;
  const change = (each: string) => (each === "old" ? 'n"w' : each);
  const edited = withTexts(place(text), "r", change);
  expect(edited?.before.toString()).toBe(text);
  expect(edited?.after.toString()).toBe(
    text.replace('"o\\u006cd"', '"n\\"w"').replace('[ "old"', '[ "n\\"w"').replace('"y": "old"', '"y": "n\\"w"'),
  );
  expect(withTexts(place(text), "s", change)).toBeUndefined();
  expect(withTexts(place(text), "r", (each) => each)).toBeUndefined();
  expect(withTexts(place(), "r", change)).toBeUndefined();
});
