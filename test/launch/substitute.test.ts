import fc from "fast-check";
import { expect, test } from "vitest";
import { findRefs, formatRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { launchRefs, refKey } from "../../src/launch/references.ts";
import { substitute } from "../../src/launch/substitute.ts";

const VALUE = "p@ss/w:rd?#& é%";
const ENCODED = encodeURIComponent(VALUE);
const REF = "mcp-secret://local/db/password";

function filled(text: string, value = VALUE): string {
  const refs = launchRefs([text], {});
  return substitute(text, new Map(refs.map((ref) => [refKey(ref), new Secret(value)])));
}

test.each([
  [REF, VALUE],
  [`${REF}#value`, VALUE],
  [`--token=${REF}`, `--token=${VALUE}`],
  [`Authorization: Bearer ${REF}`, `Authorization: Bearer ${VALUE}`],
  [`postgresql://app:${REF}@host/db`, `postgresql://app:${ENCODED}@host/db`],
  [`postgresql://${REF}@host/db`, `postgresql://${ENCODED}@host/db`],
  [`postgresql://${REF}#user:${REF}@host/db?a=b`, `postgresql://${ENCODED}:${ENCODED}@host/db?a=b`],
  [`--url=https://host/p?key=${REF}&x=1`, `--url=https://host/p?key=${ENCODED}&x=1`],
  [`jdbc:postgresql://host/db?user=u&password=${REF}`, `jdbc:postgresql://host/db?user=u&password=${ENCODED}`],
  [`postgresql://app:${REF}#value~raw@host/db?p=${REF}`, `postgresql://app:${VALUE}@host/db?p=${ENCODED}`],
  [`--token=${REF}#value~raw`, `--token=${VALUE}`],
  // Neither user-info nor query.
  [`https://host/hook/${REF}`, `https://host/hook/${VALUE}`],
  [`https://host/p#${REF}`, `https://host/p#${VALUE}`],
  [`https://host/p?a=b#${REF}`, `https://host/p?a=b#${VALUE}`],
  [`jdbc:sqlserver://host;password=${REF}`, `jdbc:sqlserver://host;password=${VALUE}`],
  [`host=h password=${REF} dbname=d`, `host=h password=${VALUE} dbname=d`],
  // What stands behind the URL is not in it.
  [`curl https://u@host/?a=b -H "X: ${REF}"`, `curl https://u@host/?a=b -H "X: ${VALUE}"`],
  [`["https://host/?a=1","${REF}"]`, `["https://host/?a=1","${VALUE}"]`],
])("%s", (text, expected) => {
  expect(filled(text)).toBe(expected);
});

test("every part that is no reference stays as it is, and the URL gives the value back", () => {
  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  fc.assert(
    fc.property(word, word, fc.string({ unit: "grapheme", minLength: 1 }), (user, host, value) => {
      const url = new URL(filled(`postgresql://${user}:${REF}@${host}/db?k=${REF}`, value));
      expect([url.username, decodeURIComponent(url.password), url.host]).toEqual([user, value, host]);
      expect(decodeURIComponent(url.search.slice(3))).toBe(value);
    }),
  );
});

test("a text without a reference is itself", () => {
  fc.assert(fc.property(fc.string(), (text) => text.includes("mcp-secret://") || filled(text) === text));
});

test("a value that holds a reference is not read again", () => {
  expect(filled(REF, "mcp-secret://local/other/secret")).toBe("mcp-secret://local/other/secret");
});

test("references are listed once, in the order found", () => {
  const refs = launchRefs(["x", `a${REF} b`], { A: `${REF}#value`, B: "mcp-secret://local/b/c#d" });
  expect(refs.map(refKey)).toEqual(["mcp-secret://local/db/password#value", "mcp-secret://local/b/c#d"]);
});

test("how a reference is put in is no part of the secret that a store is asked for", () => {
  const refs = launchRefs([`https://h/?a=${REF}#value~raw`, `https://h/?a=${REF}#value`], {});
  expect(refs).toEqual([{ store: "local", path: "db/password", field: "value" }]);
  expect(findRefs(`https://h/?a=${REF}#value~raw`).map(({ ref }) => formatRef(ref))).toEqual([`${REF}#value~raw`]);
});

test("what only looks like a reference is refused", () => {
  expect(() => launchRefs([], { A: `${REF}#~raw` })).toThrow("not a reference");
  expect(() => launchRefs([], { A: "mcp-secret://local" })).toThrow("not a reference: mcp-secret://local");
});
