// An MCP server with one tool, `who`, that logs in to PostgreSQL anew for each call, with what is in its environment.
import { createRequire } from "node:module";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";

const pg = createRequire(import.meta.url)("pg");
const server = new McpServer({ name: "fresh-login", version: "1.0.0" });

server.registerTool("who", { description: "who we are to the database" }, async () => {
  const client = new pg.Client();
  await client.connect();
  try {
    const { rows } = await client.query("select session_user as who");
    return { content: [{ type: "text", text: rows[0].who }] };
  } finally {
    await client.end();
  }
});
await server.connect(new StdioServerTransport());
