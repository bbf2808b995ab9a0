import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { digest, Journal, newMigration } from "../../src/migrate/journal.ts";
import { testContext } from "../helpers/context.ts";

const facts = {
  id: "20260101T000000000Z-x",
  config: "/c.json",
  client: "claude-desktop",
  at: "2026-01-01T00:00:00.000Z",
  before: digest(Buffer.from("a")),
  after: digest(Buffer.from("b")),
  servers: ["one"],
  edits: [],
};

test.each([
  ["state", "gone"],
  ["client", 1],
  ["at", undefined],
  ["before", "x"],
  ["after", null],
  ["servers", "one"],
  ["servers", [1]],
  ["edits", {}],
  ["edits", [{ type: "replace" }]],
  ["edits", [{ type: "shout", pointer: "/a" }]],
  ["edits", [{ type: "replace", pointer: "/a", start: "0", end: 1, text: "" }]],
  ["edits", [{ type: "prepend", pointer: "/a", items: [1] }]],
  ["edits", [{ type: "add", pointer: "/a", name: "x" }]],
])("a record with a %s of %j is told and not used", async (name, value) => {
  using user = testContext();
  const { files, home } = user.context;
  const journal = new Journal(files, home);
  await journal.start(newMigration(facts), Buffer.from("sealed"));
  expect(journal.read()).toMatchObject({ migrations: [facts], problems: [] });
  const folder = join(home, "journal", "migrations");
  const path = join(folder, readdirSync(folder).find((file) => file.endsWith(".json")) ?? "");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), [name]: value }));
  expect(journal.read()).toEqual({ migrations: [], problems: [`the migration record ${path} cannot be read`] });
});

test("a backup that is gone is told with what is left to do", () => {
  using user = testContext();
  const journal = new Journal(user.context.files, user.context.home);
  expect(() => journal.sealed("x")).toThrowError(
    expect.objectContaining({ code: "not-restorable", hint: expect.stringContaining("mcp-secrets get REFERENCE") }),
  );
});
