import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { findHomes } from "../../src/io/home.ts";

const database = () => "/db/u";

test.each([
  [{}, { userHome: "/db/u", home: "/db/u/.mcp-secrets" }],
  [{ HOME: "" }, { userHome: "/db/u", home: "/db/u/.mcp-secrets" }],
  [{ HOME: "/h/u" }, { userHome: "/h/u", home: "/h/u/.mcp-secrets" }],
  [{ HOME: "/h/x/../u//" }, { userHome: "/h/u", home: "/h/u/.mcp-secrets" }],
  [
    { HOME: "/h/u", MCPS_HOME: "" },
    { userHome: "/h/u", home: "/h/u/.mcp-secrets" },
  ],
  [
    { HOME: "/h/u", MCPS_HOME: "/m/" },
    { userHome: "/h/u", home: "/m" },
  ],
  [{ MCPS_HOME: "/m" }, { userHome: "/db/u", home: "/m" }],
])("%j", (env, homes) => {
  expect(findHomes(env, database)).toEqual(homes);
});

test.each([
  ["HOME", "rel"],
  ["HOME", "."],
  ["HOME", "~"],
  ["MCPS_HOME", "./here"],
])("%s=%s is refused", (name, value) => {
  const find = () => findHomes({ HOME: "/h/u", [name]: value }, database);
  expect(find).toThrowError(`the variable ${name} is not an absolute path: "${value}"`);
  expect(find).toThrowError(expect.objectContaining({ code: "unsafe-environment", exit: 78 }));
});

test("the password database is asked, not HOME", () => {
  expect(findHomes({}).userHome).toBe(userInfo().homedir);
});
