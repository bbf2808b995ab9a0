import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { findCanaries, formsOf } from "./canary.ts";

const long = fc.string({ minLength: 6, maxLength: 40, unit: "grapheme" });

test("finds a word in base64 and base64url, whatever stands around it", () => {
  fc.assert(
    fc.property(long, fc.string(), fc.string(), (word, before, after) => {
      const text = Buffer.from(before + word + after);
      const forms = [...formsOf(word)];
      const held = (coded: string) =>
        forms.some(([name, form]) => name.startsWith("base64") && coded.includes(form.toString()));
      expect(held(text.toString("base64"))).toBe(true);
      expect(held(text.toString("base64url"))).toBe(true);
    }),
  );
});

test("finds a word that is percent-encoded, escaped for JSON, in hexadecimal or in UTF-16", () => {
  const word = `p@"ss/wörd`;
  for (const text of [encodeURIComponent(word), JSON.stringify(word), Buffer.from(word).toString("hex")]) {
    expect([...formsOf(word).values()].some((form) => text.includes(form.toString()))).toBe(true);
  }
  const wide = Buffer.from(`x${word}`, "utf16le");
  expect([...formsOf(word).values()].some((form) => wide.includes(form))).toBe(true);
});

test("names the file and the form, looks at names too, and finds nothing where nothing is", () => {
  const folder = mkdtempSync(join(tmpdir(), "canary-"));
  writeFileSync(join(folder, "a"), "x hunter22 y");
  writeFileSync(join(folder, "hunter22.txt"), "");
  expect(findCanaries([folder], ["hunter22"])).toEqual(
    [`${folder}/a: plain`, `${folder}/hunter22.txt: plain`].flatMap((hit) => [
      hit,
      `${hit.slice(0, -5)}percent-encoded`,
      `${hit.slice(0, -5)}percent-encoded in lower case`,
      `${hit.slice(0, -5)}JSON-escaped`,
    ]),
  );
  expect(findCanaries([folder], ["hunter23"])).toEqual([]);
  rmSync(folder, { recursive: true });
});
