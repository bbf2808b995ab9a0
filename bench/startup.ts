import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Home, makeHome } from "../test/helpers/cli.ts";
import { entryOf, migrated } from "../test/helpers/migrated.ts";
import { npmPackages } from "../test/servers/cache.ts";
import { type Timed, interleaved, once, timesOf, together } from "./measure.ts";
import { type Row, round } from "./table.ts";

const ROUNDS = 25;
const PEERS = ["dotenv-cli@11.0.0", "env-cmd@11.0.0", "@dotenvx/dotenvx@2.38.2", "varlock@1.20.0"];

/** What `run -- true` with one local secret costs, beside Node itself and the tools that people use instead. */
export async function startUp(node24: string | undefined): Promise<Row[]> {
  using home = makeHome();
  const ours = await launchOf(home);
  const node: Timed = { name: "node -e 0", command: process.execPath, args: ["-e", "0"], env: home.env };
  const times = await interleaved([node, ours, ...peers(home, node24)], ROUNDS);
  const base = times.get(node.name)?.median ?? Number.NaN;
  const rows = [...times].map(([what, { median, min, max }]): Row => {
    const ratio = median / base;
    const result = `${round(median)} ms [${round(min)}–${round(max)}], ${round(ratio, 2)} × node`;
    return what === ours.name ? { what, result, goal: "≤ 1.5 × node", met: ratio <= 1.5 } : { what, result };
  });
  if (node24 === undefined) rows.push({ what: "varlock", result: "skipped: it needs a newer Node than this one" });
  return [...rows, await atOnce(ours)];
}

/** Fifty clients' worth of servers at once, against what the cores could do at best. */
async function atOnce(ours: Timed): Promise<Row> {
  const cores = availableParallelism();
  const ones: number[] = [];
  const fifties: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    for (let one = 0; one < 5; one += 1) ones.push(await once(ours));
    fifties.push(await together(ours, 50));
  }
  const fifty = timesOf(fifties).median;
  const share = fifty / ((50 / cores) * timesOf(ones).median);
  return {
    what: "50 launches at once",
    result: `${round(fifty)} ms, ${round(share, 2)} × (50 / ${cores} cores × one)`,
    goal: "≤ 1.2",
    met: share <= 1.2,
  };
}

async function launchOf(home: Home): Promise<Timed> {
  const entries = await migrated(home, { one: { command: "true", env: { API_KEY: "sk-live-bench-canary-0001" } } });
  const { command, args, env } = entryOf(entries, "one");
  return { name: "mcp-secrets run -- true, one local secret", command, args, env: { ...home.env, ...env } };
}

function peers(home: Home, node24: string | undefined): Timed[] {
  const folder = npmPackages("bench-peers", PEERS);
  if (folder === undefined) return [];
  const file = join(home.work, ".env");
  writeFileSync(file, "API_KEY=sk-live-bench-canary-0001\n");
  writeFileSync(join(home.work, ".env.schema"), "API_KEY=\n");
  const bin = (name: string) => join(folder, "node_modules/.bin", name);
  const peer = (name: string, args: readonly string[], command = bin(name)): Timed => ({
    name,
    command,
    args,
    cwd: home.work,
    env: home.env,
  });
  return [
    peer("dotenv-cli", ["-e", file, "--", "true"], bin("dotenv")),
    peer("env-cmd", ["-f", file, "true"]),
    peer("dotenvx", ["run", "-q", "-f", file, "--", "true"]),
    ...(node24 === undefined ? [] : [peer("varlock (Node 24)", [bin("varlock"), "run", "--", "true"], node24)]),
  ];
}
