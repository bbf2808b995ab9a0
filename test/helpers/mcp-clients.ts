import { Client as Client2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as Stdio2 } from "@modelcontextprotocol/client/stdio";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as Stdio1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { Home } from "./cli.ts";
import type { ServerEntry } from "./migrated.ts";

/** The official MCP clients start an entry, call its tools and close it: SDK 1.x, and the client package 2.x. */
export const CLIENTS = { "sdk 1.x": talk1, "client 2.x": talk2 };

export interface Call {
  readonly name: string;
  readonly arguments: Record<string, unknown>;
}

export interface Conversation {
  readonly tools: readonly unknown[];
  readonly results: readonly unknown[];
  readonly instructions: string | undefined;
}

/** `during` is called when all calls are answered and the server still runs. */
export type Talk = (
  home: Home,
  entry: ServerEntry,
  calls: readonly Call[],
  during?: () => Promise<void>,
) => Promise<Conversation>;

/** What the two have in common. */
interface AnyClient {
  listTools(): Promise<{ readonly tools: readonly unknown[] }>;
  callTool(call: Call): Promise<unknown>;
  getInstructions(): string | undefined;
  close(): Promise<void>;
}

async function talk1(...[home, entry, calls, during]: Parameters<Talk>): Promise<Conversation> {
  const client = new Client1({ name: "test", version: "1" });
  await client.connect(new Stdio1(parameters(home, entry)));
  return converse(client, calls, during);
}

async function talk2(...[home, entry, calls, during]: Parameters<Talk>): Promise<Conversation> {
  const client = new Client2({ name: "test", version: "1" });
  await client.connect(new Stdio2(parameters(home, entry)));
  return converse(client, calls, during);
}

async function converse(
  client: AnyClient,
  calls: readonly Call[],
  during: Parameters<Talk>[3] = async () => {},
): Promise<Conversation> {
  const { tools } = await client.listTools();
  const results = [];
  for (const call of calls) results.push(await client.callTool(call).catch(String));
  await during();
  const instructions = client.getInstructions();
  await client.close();
  return { tools, results, instructions };
}

function parameters(home: Home, { command, args, env }: ServerEntry) {
  return { command, args: [...args], cwd: home.work, env: { ...home.env, ...env }, stderr: "ignore" as const };
}

/** The variables of server-everything, as it tells them itself. */
export async function environmentOf(talk: Talk, home: Home, entry: ServerEntry): Promise<Record<string, string>> {
  const { results } = await talk(home, entry, [{ name: "get-env", arguments: {} }]);
  return variablesIn(results[0]);
}

/** The answer of its tool `get-env`. */
export function variablesIn(result: unknown): Record<string, string> {
  const { content } = result as { content: { text: string }[] };
  return JSON.parse(content[0]?.text ?? "{}");
}
