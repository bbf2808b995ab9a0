import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBech32, encodeBech32 } from "../../../providers/local/age/bech32.ts";

const prefixes = fc.stringMatching(/^[a-z][a-z0-9-]{0,19}$/);

describe("bech32", () => {
  test("gives back what it was given, in either case", () => {
    fc.assert(
      fc.property(prefixes, fc.uint8Array({ maxLength: 100 }), (prefix, bytes) => {
        const text = encodeBech32(prefix, bytes);
        const expected = { prefix, bytes: Buffer.from(bytes) };
        expect(decodeBech32(text)).toEqual(expected);
        expect(decodeBech32(text.toUpperCase())).toEqual(expected);
      }),
    );
  });

  test("notices any one changed character", () => {
    const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(30), (bytes, place, step) => {
        const text = encodeBech32("age", bytes);
        const at = 4 + (place % (text.length - 4));
        const other = alphabet[(alphabet.indexOf(text[at]!) + 1 + step) % 32]!;
        expect(decodeBech32(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
      }),
    );
  });

  // The first ones of BIP 173; those of whole groups made with @scure/base.
  test.each(["A12UEL5L", "a12uel5l"])("%s is valid and empty", (text) => {
    expect(decodeBech32(text)).toEqual({ prefix: "a", bytes: Buffer.alloc(0) });
  });

  test.each([
    ["a character outside ASCII", "\u{80}1eym55h"],
    ["a space", " 1nwldj5"],
    ["no separator", "pzry9x0s0muk"],
    ["no prefix", "1pzry9x0s0muk"],
    ["a character of no value", "x1b4n0q5v"],
    ["a short checksum", "li1dgmt3"],
    ["a wrong checksum", "A1G7SGD8"],
    ["mixed case", "a12UEL5L"],
    ["bits left over that are not zero", "a1qpamnt9j"],
    ["a group too many", "a1qqqd87cpp"],
    ["nothing", ""],
  ])("%s is refused", (_, text) => {
    expect(decodeBech32(text)).toBeUndefined();
  });
});
