import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkPath, fileOf, pathOf, previousOf } from "../../../providers/local/names.ts";
import { isSegment } from "../../../src/core/ref.ts";

const tricky = fc.constantFrom(
  "con",
  "NUL",
  "com1",
  "aux.txt",
  "a.age",
  "a.age.previous",
  "a.lock",
  "x.",
  "..x",
  "~",
  "console",
  ".mcp-secrets-tmp-1",
);
const segments = fc.oneof(tricky, fc.stringMatching(/^[A-Za-z0-9._~-]{1,12}$/)).filter(isSegment);
const paths = fc.array(segments, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

describe("the file of a secret", () => {
  test.each([
    ["github/token", "github/token.age"],
    ["a", "a.age"],
    ["con", "@con.age"],
    ["NUL.txt/LPT9", "@NUL.txt/@LPT9.age"],
    ["console/com10", "console/com10.age"],
    ["a.age/b", "a.age@/b.age"],
    ["a.PREVIOUS/b.lock", "a.PREVIOUS@/b.lock@.age"],
    ["dot./x.", "dot.@/x.@.age"],
    ["aux.", "@aux.@.age"],
    [".mcp-secrets-tmp-1/x", "@.mcp-secrets-tmp-1/x.age"],
  ])("of %s is %s", (path, file) => {
    expect(fileOf(path)).toBe(file);
    expect(pathOf(file)).toBe(path);
  });

  test("tells the path, and no two paths meet, nor a file with a folder or a kept one", () => {
    fc.assert(
      fc.property(paths, paths, (one, two) => {
        expect(pathOf(fileOf(one))).toBe(one);
        const namesOf = (path: string) => [fileOf(path), previousOf(fileOf(path))];
        if (one !== two) expect(namesOf(one).filter((name) => namesOf(two).includes(name))).toEqual([]);
        for (const name of namesOf(one))
          expect(`${fileOf(two)}/`.startsWith(`${name}/`)).toBe(one === two && name === fileOf(one));
      }),
    );
  });

  test("holds nothing that Windows takes for something else", () => {
    fc.assert(
      fc.property(paths, (path) => {
        for (const name of fileOf(path).split("/"))
          expect(name).not.toMatch(/^(con|nul|prn|aux|com\d|lpt\d)(\.|$)|\.$/i);
      }),
    );
  });

  test.each(["a", "a.age.previous", "@a.age", "con.age", "a.age/b.age", "a@.age", "@.age", ".mcp-secrets-tmp-1"])(
    "%s is the file of none",
    (file) => expect(pathOf(file)).toBeUndefined(),
  );
});

describe("checkPath", () => {
  test("takes what every file system can hold, with the endings that are added", () => {
    const longest = "x".repeat(120);
    expect(() => checkPath(`${longest}/${longest}`, "ref")).not.toThrow();
    expect(Buffer.byteLength(previousOf(fileOf(`${longest}`)))).toBeLessThan(143);
  });

  test.each(["x".repeat(121), `a/${"x".repeat(121)}/b`, Array.from({ length: 301 }, () => "x").join("/")])(
    "says clearly what is too long",
    (path) => {
      expect(() => checkPath(path, `mcp-secret://local/${path}`)).toThrow(/too long to be a file name: mcp-secret/);
    },
  );
});
