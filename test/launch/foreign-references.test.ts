import { expect, test } from "vitest";
import { launchChanges, sealApproval } from "../../src/launch/approval.ts";

const KEY = Buffer.alloc(32, 7);

/** An entry whose words hold what clients expand, or what looks like it. */
const approval = sealApproval(
  {
    id: "c/s",
    command: "${HOME}/srv",
    args: ["--dir", "${HOME}/x", "https://h/%C3%A9", "--p=$ab"],
    env: { TOKEN: "mcp-secret://local/s/TOKEN" },
    members: {},
    config: "/c.json",
    pointer: "/mcpServers/s",
  },
  KEY,
  "2026-01-01T00:00:00.000Z",
);
const env = { TOKEN: "mcp-secret://local/s/TOKEN" };
const command = "${HOME}/srv";

test("what a client expands may be anything but a reference", () => {
  const words = [command, "--dir", "/home/u/x", "https://h/%C3%A9", "--p=$ab"];
  expect(launchChanges(approval, { words, env }, KEY)).toEqual([]);
  const stolen = [command, "--dir", "mcp-secret://local/b/B_TOKEN /x", "https://h/%C3%A9", "--p=$ab"];
  expect(launchChanges(approval, { words: stolen, env }, KEY)).toContain("the references");
  const nested = [command, "--dir", "/x/x", "https://h/%C3%A9", "--p=mcp-secret://local/f/F"];
  expect(launchChanges(approval, { words: nested, env }, KEY)).toContain("the references");
});

test("the command is never what a client makes of it", () => {
  const words = ["/tmp/evil/srv", "--dir", "/home/u/x", "https://h/%C3%A9", "--p=$ab"];
  expect(launchChanges(approval, { words, env }, KEY)).toContain("the command");
});
