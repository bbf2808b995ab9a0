import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { execute, makeHome } from "../helpers/cli.ts";
import { type Call, CLIENTS, environmentOf } from "../helpers/mcp-clients.ts";
import { type ServerEntry, entryOf, migrated } from "../helpers/migrated.ts";

/** The official clients reach the official servers through rewritten entries exactly as they reach them directly. */

const VALUE = "sk-live-mcp-canary-0001";
const home = makeHome();
const server = (name: string) => resolve(`node_modules/@modelcontextprotocol/server-${name}/dist/index.js`);

const direct: Record<string, ServerEntry> = {
  everything: { command: "node", args: [server("everything")], env: { EVERYTHING_API_KEY: VALUE, PLAIN: "1" } },
  filesystem: { command: "node", args: [server("filesystem"), home.work], env: { FS_TOKEN: VALUE } },
  memory: {
    command: "node",
    args: [server("memory")],
    env: { MEMORY_API_KEY: VALUE, MEMORY_FILE_PATH: join(home.work, "memory.json") },
  },
};
let launched: Readonly<Record<string, ServerEntry>> = {};

beforeAll(async () => {
  launched = await migrated(home, direct);
  expect(JSON.stringify(launched)).not.toContain(VALUE);
  writeFileSync(join(home.work, "a.txt"), "hello");
});

afterAll(() => home[Symbol.dispose]());

const CALLS: Record<string, readonly Call[]> = {
  everything: [
    { name: "echo", arguments: { message: "ünïcode \u2028 \u{1F511}" } },
    { name: "get-sum", arguments: { a: 2, b: 3 } },
    { name: "get-tiny-image", arguments: {} },
    { name: "get-structured-content", arguments: { location: "Chicago" } },
    { name: "get-sum", arguments: { a: "no number" } },
  ],
  filesystem: [
    { name: "list_directory", arguments: { path: home.work } },
    { name: "read_text_file", arguments: { path: join(home.work, "a.txt") } },
    { name: "read_text_file", arguments: { path: "/etc/passwd" } },
  ],
  memory: [
    { name: "read_graph", arguments: {} },
    { name: "search_nodes", arguments: { query: "x" } },
  ],
};

for (const [client, talk] of Object.entries(CLIENTS)) {
  test.each(Object.keys(direct))(`${client} sees server-%s as if started directly`, async (name) => {
    const [plain, through] = [entryOf(direct, name), entryOf(launched, name)];
    const calls = CALLS[name] ?? [];
    const straight = await talk(home, plain, calls);
    const shimmed = await talk(home, through, calls);
    expect(shimmed).toEqual(straight);
    expect(straight.tools).not.toEqual([]);
    expect(straight.results).toHaveLength(calls.length);
  });

  test(`${client}: the server sees the value, and no variable of ours`, async () => {
    const [plain, through] = [entryOf(direct, "everything"), entryOf(launched, "everything")];
    const straight = await environmentOf(talk, home, plain);
    const shimmed = await environmentOf(talk, home, through);
    expect(shimmed["EVERYTHING_API_KEY"]).toBe(VALUE);
    expect(Object.keys(shimmed).filter((name) => /^(MCPS|MCP_SECRETS)/.test(name))).toEqual([]);
    expect(Object.values(shimmed).filter((value) => value.includes("mcp-secret://"))).toEqual([]);
    expect(shimmed).toEqual({ ...straight, PATH: shimmed["PATH"] });
    // The folders that a GUI lacks come after those that the client gave.
    expect(shimmed["PATH"]?.startsWith(straight["PATH"] ?? "?")).toBe(true);
  });
}

test("stdout is the server's, byte for byte", async () => {
  const [plain, through] = [entryOf(direct, "everything"), entryOf(launched, "everything")];
  const input = [
    {
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } },
    },
    { jsonrpc: "2.0", method: "notifications/initialized" },
    { jsonrpc: "2.0", id: 2, method: "tools/list" },
    {
      jsonrpc: "2.0",
      id: 3,
      method: "tools/call",
      params: { name: "echo", arguments: { message: "x".repeat(300_000) } },
    },
  ];
  const lines = input.map((message) => `${JSON.stringify(message)}\n`).join("");
  const straight = await answers(plain, lines);
  expect(straight).toContain('"id":3');
  expect(await answers(through, lines)).toBe(straight);
});

/** What a server writes on stdout until the third answer has come. */
async function answers(entry: ServerEntry, lines: string): Promise<string> {
  // The server ends when its input does, so the input stays open for a moment: a shell keeps it.
  const keep = `{ cat "$0"; sleep 2; } | "$@"`;
  const file = join(home.work, "lines");
  writeFileSync(file, lines);
  const done = await execute("sh", ["-c", keep, file, entry.command, ...entry.args], {
    env: { ...home.env, ...entry.env },
    cwd: home.work,
  });
  return done.stdout;
}
