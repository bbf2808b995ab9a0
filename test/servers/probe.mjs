// node probe.mjs OUT: a small MCP server (official SDK 1.x) that writes what it was started with to the file OUT and has
// one tool, `where_am_i`, which answers `probe says TEXT`.
import { writeFileSync } from "node:fs";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const { PROBE_TOKEN, ...rest } = process.env;
writeFileSync(process.argv[2], JSON.stringify({ PROBE_TOKEN, names: Object.keys(rest), argv: process.argv }));

const tool = {
  name: "where_am_i",
  description: "Says what it was told",
  inputSchema: { type: "object", properties: { text: { type: "string" } } },
};
const server = new Server({ name: "probe", version: "1.0.0" }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [tool] }));
server.setRequestHandler(CallToolRequestSchema, ({ params }) => ({
  content: [{ type: "text", text: `probe says ${params.arguments?.text ?? "nothing"}` }],
}));
await server.connect(new StdioServerTransport());
