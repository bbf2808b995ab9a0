import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ApprovalSubject } from "../../src/launch/approval.ts";
import { findApproval, renewApprovals, saveApprovals, subjectChanges } from "../../src/launch/approvals.ts";
import { type TestContext, testContext } from "../helpers/context.ts";

/** A renewal never widens: what the user did not approve exactly is not approved afterwards either. */

const before: ApprovalSubject = {
  id: "claude-desktop/github",
  command: "npx",
  args: ["server", "--key=mcp-secret://local/a"],
  env: { TOKEN: "mcp-secret://local/b#f", LEVEL: "debug" },
  members: { cwd: '"/w"' },
  config: "/c.json",
  pointer: "/mcpServers/github",
};
const after: ApprovalSubject = {
  ...before,
  args: ["server", "--key=mcp-secret://team/kv/a"],
  env: { ...before.env, TOKEN: "mcp-secret://team/kv/b#f" },
};

let world: TestContext;
beforeEach(() => void (world = testContext()));
afterEach(() => world[Symbol.dispose]());

test("what was approved stays so under its new references, since when it was", async () => {
  const { context } = world;
  await saveApprovals({ ...context, now: () => 0 }, [before]);
  expect(await renewApprovals(context, [{ before, after }])).toEqual([]);
  expect(subjectChanges(context, after)).toEqual([]);
  expect(subjectChanges(context, before)).not.toEqual([]);
  expect(findApproval(context, before.id)?.since).toBe("1970-01-01T00:00:00.000Z");
});

test("a renewal that a killed run made already counts as made", async () => {
  const { context } = world;
  await saveApprovals(context, [before]);
  for (let run = 0; run < 2; run += 1) expect(await renewApprovals(context, [{ before, after }])).toEqual([]);
  expect(subjectChanges(context, after)).toEqual([]);
});

describe("no approval comes of", () => {
  test.each<[string, ApprovalSubject | undefined, ApprovalSubject]>([
    ["none", undefined, after],
    ["one of another command", { ...before, command: "sh" }, after],
    ["one without a variable that the entry has", { ...before, env: { TOKEN: before.env["TOKEN"] ?? "" } }, after],
    ["one of another reference", { ...before, env: { ...before.env, TOKEN: "mcp-secret://local/z#f" } }, after],
    ["one of another config", { ...before, config: "/other.json" }, after],
    ["one of another place in it", { ...before, pointer: "/mcpServers/other" }, after],
    ["one of the entry as it was, for one with another command", before, { ...after, command: "sh" }],
    ["one of the entry as it was, for one with one more argument", before, { ...after, args: [...after.args, "x"] }],
    ["one of the entry as it was, for one with one more variable", before, { ...after, env: { ...after.env, X: "1" } }],
    ["one of the entry as it was, for one that is elsewhere", before, { ...after, pointer: "/mcpServers/other" }],
  ])("%s", async (_, approved, wanted) => {
    const { context } = world;
    await saveApprovals(context, approved === undefined ? [] : [approved]);
    const stood = findApproval(context, before.id);
    expect(await renewApprovals(context, [{ before, after: wanted }])).toEqual([before.id]);
    expect(findApproval(context, before.id)).toEqual(stood);
  });
});
