import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { runMigrate } from "../../src/commands/migrate.ts";
import { testContext } from "../helpers/context.ts";

/** Where there is no config: the questions of the sample, answered. */
async function answering(...answers: string[]) {
  using user = testContext();
  const terminal = { ...user.context.terminal, inIsTty: true, ask: async () => answers.shift() };
  expect(await runMigrate({ ...user.context, terminal }, {})).toBe(0);
  return { ...user.taken(), left: readdirSync(user.folder) };
}

test("who declines the sample after its config was made keeps nothing of it", async () => {
  const { out, left } = await answering("y", "n");
  expect(left).toEqual([]);
  expect(out).toMatch(/mcp-secrets-sample-\w+ is removed again\n$/);
});

test("who wants none at all gets none", async () => {
  expect((await answering("n")).left).toEqual([]);
});
