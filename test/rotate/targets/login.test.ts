import fc from "fast-check";
import { expect, test } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { endingExposed, readLogin, userLogin, withLogin } from "../../../src/rotate/targets/login.ts";
import { exposed, fieldsOf } from "./request.ts";

const places = { schemes: ["postgresql", "mysql", "jdbc:mysql"] };
const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });

test("what is written into a URL is what any reader of URLs finds, and the rest of it stays", () => {
  const rest = fc.constantFrom("@h/db", "@h:1,h2:2/db?x=a@b", "@[::1]:5432", "@h?password=1#@", "@/db");
  fc.assert(
    fc.property(text, text, rest, (user, password, tail) => {
      const before = fieldsOf({ value: `postgresql://old:pass%20word${tail}`, other: "postgresql is a word" });
      const after = withLogin(before, places, { user, password: new Secret(password) });
      const found = readLogin(after, places, "x");
      const url = exposed(after)["value"]!;
      expect([found.user, found.password.expose()]).toEqual([user, password]);
      expect(url.endsWith(tail)).toBe(true);
      expect(exposed(after)["other"]).toBe("postgresql is a word");
      if (tail !== "@/db" && !tail.includes(",")) {
        const parsed = new URL(url);
        expect([decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)]).toEqual([user, password]);
      }
    }),
  );
});

test.for([
  [{ username: "u", password: "p" }, "u", "p"],
  [{ user: "u", value: "p" }, "u", "p"],
  [{ value: "p" }, undefined, "p"],
  [{ value: "postgresql://u:p@h" }, "u", "p"],
  [{ value: "postgresql+asyncpg://u:p@h" }, "u", "p"],
  [{ value: "jdbc:mysql://u:p@h" }, "u", "p"],
  [{ value: "POSTGRESQL://u:p%40%zz@h" }, "u", "p@%zz"],
  [{ value: "mysql://u:p@ss:w@h" }, "u", "p@ss:w"],
  [{ url: "mysql://:p@h" }, undefined, "p"],
  [{ username: "", password: "p" }, undefined, "p"],
] as const)("%j", ([fields, user, password]) => {
  const found = readLogin(fieldsOf(fields), places, "x");
  expect([found.user, found.password.expose()]).toEqual([user, password]);
});

test("fields by other names, and none that fits", () => {
  const named = { ...places, username: "login", password: "key" };
  const fields = fieldsOf({ login: "u", key: "p", password: "another" });
  expect(exposed(withLogin(fields, named, { user: "v", password: new Secret("q") }))).toEqual({
    login: "v",
    key: "q",
    password: "another",
  });
  expect(() => readLogin(fieldsOf({ password: "p" }), { ...places, password: "key" }, "REF")).toThrow(
    /REF holds no password/,
  );
});

test.for(["https://u:p@h", "mysql://h/db", "mysql://u@h"])("%s is no password, and would be lost", (value) => {
  expect(() => readLogin(fieldsOf({ value }), places, "REF")).toThrow(/REF holds no password/);
  const named = { ...places, password: "value" };
  expect(readLogin(fieldsOf({ value }), named, "REF").password.expose()).toBe(value);
});

test.each([
  [{ retire: "next", admin: { store: "local", path: "admin" } }, true, "now"],
  [{ retire: "next", admin: { store: "local", path: "admin" } }, false, "next"],
  // Without an administrator nobody can end the old one before its turn.
  [{ retire: "next" }, true, "next"],
  [{ retire: "now", admin: { store: "local", path: "admin" } }, false, "now"],
] as const)("%j, in plaintext %s: the old login ends %s", (settings, leaked, retire) => {
  expect(endingExposed(settings, { exposed: leaked })).toMatchObject({ retire });
});

test.each([
  [["a", "b"], "a user name, and users that take turns need it there", 'in place of roles: "role": '],
  [[], "a password without a user name", 'config.jsonc: "role": '],
])("a password alone, with %j: what the settings must name", (users, message, hint) => {
  const failure = () => userLogin(fieldsOf({ value: "x" }), places, { secret: "s", users, one: "role" });
  expect(failure).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  expect(failure).toThrow(expect.objectContaining({ hint: expect.stringContaining(hint) }));
  const alone = userLogin(fieldsOf({ value: "x" }), places, { secret: "s", users: ["a"], one: "role" });
  expect(alone.user).toBe("a");
});
