import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type SecretDocument,
  addVersion,
  currentOf,
  formatDocument,
  parseDocument,
} from "../../../providers/local/document.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

function versions(count: number, old?: SecretDocument): SecretDocument {
  const next = addVersion("a/b", old, { value: `v${count}` }, NOW);
  return count === 1 ? next : versions(count - 1, next);
}

describe("a document", () => {
  test("is JSON that a person can read", () => {
    const document = addVersion("a/b", addVersion("a/b", undefined, { value: "one" }, NOW), { value: "two" }, NOW);
    expect(JSON.parse(formatDocument(document))).toEqual({
      schema: "mcp-secrets/secret/1",
      path: "a/b",
      versions: {
        "1": { createdAt: "2026-01-02T03:04:05.000Z", fields: { value: "one" } },
        "2": { createdAt: "2026-01-02T03:04:05.000Z", fields: { value: "two" } },
      },
      stages: { previous: 1, current: 2 },
    });
  });

  test("holds any text under any name", () => {
    const name = fc.oneof(fc.constantFrom("__proto__", "constructor", "toString", "1"), fc.string());
    const fields = fc.dictionary(
      name,
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
    );
    fc.assert(
      fc.property(fields, (given) => {
        const read = parseDocument(formatDocument(addVersion("p", undefined, given, NOW)));
        expect(Object.entries(currentOf(read!).fields)).toEqual(Object.entries(given));
      }),
    );
  });

  test("keeps the last three versions, and the numbers go on", () => {
    const document = versions(9);
    expect(Object.keys(document.versions)).toEqual(["7", "8", "9"]);
    expect(document.stages).toEqual({ current: 9, previous: 8 });
  });

  test("keeps a version that a stage points at, however old", () => {
    const pending = { ...versions(2), stages: { current: 2, pending: 1 } };
    const later = versions(5, pending);
    expect(later.stages).toMatchObject({ current: 7, previous: 6, pending: 1 });
    expect(Object.keys(later.versions)).toEqual(["1", "6", "7"]);
  });
});

describe("parseDocument", () => {
  const good = JSON.parse(formatDocument(versions(2))) as Record<string, unknown>;
  const version = { createdAt: "2026-01-02T03:04:05Z", fields: { value: "x" } };

  test("takes the good one", () => expect(parseDocument(JSON.stringify(good))).toEqual(good));

  test.each<[string, object]>([
    ["another schema", { schema: "mcp-secrets/secret/2" }],
    ["no path", { path: undefined }],
    ["versions that are none", { versions: [] }],
    ["a version of another shape", { versions: { ...(good["versions"] as object), "2": { fields: {} } } }],
    ["a time that is none", { versions: { "1": version, "2": { ...version, createdAt: "soon" } } }],
    ["a field that is no text", { versions: { "1": version, "2": { ...version, fields: { value: 1 } } } }],
    ["a version with a strange number", { versions: { ...(good["versions"] as object), "-1": version } }],
    ["no current version", { stages: { previous: 1 } }],
    ["a stage that points nowhere", { stages: { current: 3 } }],
    ["a stage of another type", { stages: { current: "2" } }],
    ["a stage that points at what every object has", { stages: { current: 2, pending: "constructor" } }],
  ])("refuses %s", (_, change) => {
    expect(parseDocument(JSON.stringify({ ...good, ...change }))).toBeUndefined();
  });

  test.each(["", "null", "[]", "7", "{", '"x"', "{}"])("refuses %j", (text) => {
    expect(parseDocument(text)).toBeUndefined();
  });
});
