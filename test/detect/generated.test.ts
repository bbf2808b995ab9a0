import { describe, expect, test } from "vitest";
import { namedSecret } from "../../src/detect/value.ts";
import { secretsIn } from "./entries.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ALPHANUMERIC = `${LETTERS}0123456789`;
const TRIES = 20_000;

/** Words as lists for passphrases have them: none is what a credential is called. */
const WORDS = (
  "river lamp orange copper meadow engine marble window candle forest pilot anchor acid blast cable daisy eagle fabric " +
  "galaxy hammer island jacket kettle lemon mango nickel otter paper quartz rabbit saddle tiger umbrella velvet walnut yellow"
).split(" ");

type Draw = (below: number) => number;

/** Numbers that are the same in every run: mulberry32. */
function seeded(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

function characters(draw: Draw, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet.charAt(draw(alphabet.length))).join("");
}

function word(draw: Draw): string {
  return WORDS[draw(WORDS.length)] ?? "";
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

const GENERATORS: readonly [string, (draw: Draw) => string][] = [
  ["base64url", (draw) => characters(draw, `${ALPHANUMERIC}-_`, 12 + draw(13))],
  ["base64", (draw) => characters(draw, `${ALPHANUMERIC}+/`, 12 + draw(13))],
  ["letters and digits", (draw) => characters(draw, ALPHANUMERIC, 12 + draw(13))],
  ["with symbols", (draw) => characters(draw, `${ALPHANUMERIC}!@#$%^&*-_+=.?`, 12 + draw(13))],
  ["in groups", (draw) => [6, 6, 6].map((length) => characters(draw, ALPHANUMERIC, length)).join("-")],
  ["hexadecimal", (draw) => characters(draw, "0123456789abcdef", 16 + draw(9))],
  ["words and a number", (draw) => `${word(draw)}-${word(draw)}-${word(draw)}-${draw(100)}`],
  ["words with a number at the end", (draw) => `${word(draw)}-${word(draw)}-${word(draw)}${draw(100)}`],
  ["capital words", (draw) => `${capital(word(draw))}${capital(word(draw))}${capital(word(draw))}${draw(100)}`],
];

/** The places are tried on some; the judgement of the value on all. */
describe.each(GENERATORS)("passwords of a generator: %s", (_, generate) => {
  test.each(["DB_PASSWORD", "ACME_API_KEY"])("are found under %s", (name) => {
    const draw = seeded(20_260_101);
    const values = Array.from({ length: TRIES }, () => generate(draw));
    const missed = values.filter((value) => {
      const hit = namedSecret(name, value);
      return hit === undefined || hit.end - hit.start !== value.length;
    });
    expect(missed.slice(0, TRIES / 1000)).toEqual(missed);
  });

  test("are found whole in an entry", () => {
    const draw = seeded(7);
    const values = Array.from({ length: 500 }, () => generate(draw));
    const missed = values.filter((value) => secretsIn({ env: { DB_PASSWORD: value } }).join() !== value);
    expect(missed.length).toBeLessThan(2);
  });
});

test.each(["your-forest-key2", "example-token", "sk-ant-api03-your-key", "paste-token-here"])(
  "%s is words about a credential, and none",
  (value) => {
    expect(secretsIn({ env: { DB_PASSWORD: value, ACME_API_KEY: value } })).toEqual([]);
  },
);

test.each(["production", "my profile", "lib/auth/keys", "example.com/myTeam/myApp"])("%s is no token", (value) => {
  expect(secretsIn({ env: { ACME_API_KEY: value } })).toEqual([]);
});
