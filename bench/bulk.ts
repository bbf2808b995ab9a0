import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Home, makeHome, mcpSecrets } from "../test/helpers/cli.ts";
import { timesOf } from "./measure.ts";
import { type Row, round } from "./table.ts";

const SECRETS_OF_A_SERVER = 4;

const SIZES = [1000, 2000, 5000, 10_000] as const;

/** One config with many secrets, at sizes that show whether the time grows with the number alone. */
export async function bulkMigrate(): Promise<Row[]> {
  const times = await migrateTimes();
  const [first = Number.NaN] = times;
  return SIZES.map((count, index) => {
    const time = times[index] ?? Number.NaN;
    const linear = time / count <= (1.3 * first) / SIZES[0];
    return {
      what: `migrate of ${count} secrets in one file`,
      result: `${round(time / 1000, 2)} s, ${round(time / count, 2)} ms each`,
      ...(count === 10_000 ? { goal: "≤ 10 s, linear", met: time <= 10_000 && linear } : {}),
    };
  });
}

/**
 * The homes are removed at the end only: before ext4 takes an inode that is free it makes sure that it was not freed in
 * the last minutes, so that after the removal of thousands a new file costs 1 ms and not 0.03.
 */
async function migrateTimes(): Promise<number[]> {
  const homes: Home[] = [];
  const times: number[] = [];
  try {
    for (const count of SIZES) {
      const home = makeHome();
      homes.push(home);
      times.push(await timeOfMigrate(home, count));
    }
    return times;
  } finally {
    for (const home of homes) home[Symbol.dispose]();
  }
}

/** 1,000 configs in one scan, without what it costs to start: a scan of one config is taken off. */
export async function bulkScan(): Promise<Row> {
  using home = makeHome();
  const flags: string[] = [];
  for (let index = 0; index < 1000; index += 1) {
    const path = join(home.work, `config-${index}.json`);
    writeFileSync(path, JSON.stringify({ mcpServers: { one: serverWith([`API_KEY_${index}`]) } }, null, 2));
    flags.push("--config", path);
  }
  const scan = async (args: readonly string[]) => {
    const began = performance.now();
    const done = await mcpSecrets(["scan", ...args], { env: home.env, cwd: home.work });
    if (done.code !== 1) throw new Error(`scan ended with ${done.code}: ${done.stderr}`);
    return performance.now() - began;
  };
  const each: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) each.push(((await scan(flags)) - (await scan(flags.slice(0, 2)))) / 999);
  const { median } = timesOf(each);
  return {
    what: "scan of 1000 configs, warm",
    result: `${round(median, 3)} ms each`,
    goal: "≤ 1 ms",
    met: median <= 1,
  };
}

async function timeOfMigrate(home: Home, count: number): Promise<number> {
  const servers = Array.from({ length: count / SECRETS_OF_A_SERVER }, (_, server) => {
    const names = Array.from({ length: SECRETS_OF_A_SERVER }, (__, index) => `SERVICE_${index}_API_KEY`);
    return [`server-${server}`, serverWith(names)];
  });
  const config = join(home.work, "config.json");
  writeFileSync(config, JSON.stringify({ mcpServers: Object.fromEntries(servers) }, null, 2));
  const began = performance.now();
  const done = await mcpSecrets(["migrate", "--config", config, "--yes"], { env: home.env, cwd: home.work });
  const time = performance.now() - began;
  if (done.code !== 0) throw new Error(`migrate ended with ${done.code}: ${done.stderr}`);
  return time;
}

let made = 0;

/** A server with a secret of its own under each name. */
function serverWith(names: readonly string[]): object {
  return {
    command: "node",
    env: Object.fromEntries(names.map((name) => [name, `sk-live-bench-${(made += 1)}-5d41402abc4b`])),
  };
}
