import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newPassword } from "../../../src/rotate/targets/password.ts";

test("letters and digits only, some of each, and never the same", () => {
  const made = Array.from({ length: 2000 }, () => newPassword(randomBytes));
  for (const password of made) expect(password).toMatch(/^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[A-Za-z0-9]{40}$/);
  expect(new Set(made).size).toBe(made.length);
});

test("every letter is as likely as any other", () => {
  // Each byte once, in each place: what is left after the unfair ones were thrown away is four of each letter.
  const counts = new Map<string, number>();
  for (let start = 0; start < 256; start += 1) {
    const password = newPassword((count) =>
      Uint8Array.from({ length: count }, (_, index) => (start + index * 7) % 256),
    );
    for (const letter of password) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  expect(counts.size).toBe(62);
  const values = [...counts.values()];
  expect(Math.max(...values) / Math.min(...values)).toBeLessThan(1.1);
});

test("bad luck is tried again", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.constantFrom(0, 255, 250), (times, byte) => {
      let calls = 0;
      const password = newPassword((count) =>
        ++calls > times ? randomBytes(count) : new Uint8Array(count).fill(byte),
      );
      return password.length === 40 && calls > times;
    }),
  );
});
