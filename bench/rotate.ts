import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Home, makeHome, mcpSecrets } from "../test/helpers/cli.ts";
import { entryOf, migrated } from "../test/helpers/migrated.ts";
import { query } from "../test/servers/postgres-client.ts";
import { auditEntries, type OpenBao, ROOT_TOKEN, startOpenBao } from "../test/servers/openbao.ts";
import { type Postgres, startPostgres } from "../test/servers/postgres.ts";
import { type Timed, timesOf, once } from "./measure.ts";
import { markdown, round, type Row } from "./table.ts";

/** `npm run bench:rotate`: rotations of PostgreSQL logins, and what a launch pays for one that is due. */
const SUPERUSER = "bench-p@ss#w%rd";
const MANY = 40;
const ROUNDS = 31;

const rows = await measure();
console.log(`Node ${process.versions.node}, ${process.platform} ${process.arch}\n`);
console.log(markdown(rows));
if (rows.some(({ met }) => met === false)) process.exitCode = 1;

async function measure(): Promise<Row[]> {
  await using postgres = await startPostgres(SUPERUSER);
  if (postgres === undefined) throw new Error("no PostgreSQL here, and none can be installed");
  await using bao = await startOpenBao();
  using local = makeHome();
  using team = makeHome();
  await addStore(team, bao);
  const onLocal = await setUp(local, postgres, { store: "local", prefix: "", role: "local" });
  const onTeam = await setUp(team, postgres, { store: "team", prefix: "kv/", role: "team" });
  return [
    ...(await rates(local, onLocal, "the local store")),
    ...(await rates(team, onTeam, "OpenBao")),
    await requests(team, bao, onTeam),
    await dueLaunch(),
  ];
}

async function cli(home: Home, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await mcpSecrets(args, { env: home.env, cwd: home.work, input });
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

async function addStore(home: Home, bao: OpenBao): Promise<void> {
  writeFileSync(join(home.home, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  const where = ["--address", bao.address, "--mount", "kv=secret"];
  await cli(home, ["store", "add", "team", "--provider", "vault", ...where]);
}

interface Setup {
  readonly store: string;
  readonly prefix: string;
  readonly role: string;
}

/** Logins of one role each, with an administrator; their references. */
async function setUp(home: Home, server: Postgres, { store, prefix, role }: Setup): Promise<readonly string[]> {
  const names = Array.from({ length: MANY }, (_, number) => `${role}_${number}`);
  await query(server, names.map((name) => `CREATE ROLE ${name} LOGIN PASSWORD 'old'`).join(";"));
  await cli(home, ["set", "mcp-secret://local/db/admin#username"], "postgres");
  await cli(home, ["set", "mcp-secret://local/db/admin#password"], SUPERUSER);
  const refs = names.map((name) => `mcp-secret://${store}/${prefix}db/${name}`);
  for (const ref of refs) await cli(home, ["set", ref], "old");
  const target = { target: "postgresql", host: "127.0.0.1", port: server.port, database: "postgres", grace: "1s" };
  const admin = "mcp-secret://local/db/admin";
  addRotation(home, Object.fromEntries(refs.map((ref, at) => [ref, { ...target, admin, role: names[at] }])));
  return refs;
}

function addRotation(home: Home, rotation: object): void {
  const path = join(home.home, ".mcp-secrets", "config.jsonc");
  const before = readIfExists(path);
  mkdirSync(join(home.home, ".mcp-secrets"), { recursive: true, mode: 0o700 });
  writeFileSync(path, JSON.stringify({ ...before, rotation }), { mode: 0o600 });
}

function readIfExists(path: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** One alone, and many in one run, less what the run of one costs. */
async function rates(home: Home, refs: readonly string[], store: string): Promise<Row[]> {
  const [first = "", ...others] = refs;
  const alone: number[] = [];
  for (let turn = 0; turn < 5; turn += 1) alone.push(await timed(home, [first]));
  const many = await timed(home, others);
  const { median } = timesOf(alone);
  return [
    { what: `one rotation on ${store}, the command as a whole`, result: `${round(median, 0)} ms` },
    {
      what: `${others.length} rotations on ${store} in one run`,
      result: `${round(others.length / (many / 1000))} a second, the start included`,
    },
  ];
}

async function timed(home: Home, refs: readonly string[]): Promise<number> {
  const began = performance.now();
  await cli(home, ["rotate", ...refs, "--json"]);
  const time = performance.now() - began;
  // What drains is ended, outside of the time.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await cli(home, ["rotate", "--due"]);
  return time;
}

/** What OpenBao is asked for one rotation, from the claim to the end of the old value: by its own audit log. */
async function requests(home: Home, bao: OpenBao, [ref = ""]: readonly string[]): Promise<Row> {
  const count = () => auditEntries(bao).filter(({ type }) => type === "request").length;
  const before = count();
  await timed(home, [ref]);
  const whole = count();
  await cli(home, ["rotate", "--due"]);
  // Of those the standing of every secret, which is asked each time.
  const standing = count() - whole;
  return {
    what: "requests to OpenBao for one rotation, log-ins and the old value's end included",
    result: `${whole - before - standing}, and ${round(standing / MANY)} a secret for a look whether it is due`,
  };
}

/** A launch with a rotation that is due beside one without: the same home but for the hint. */
async function dueLaunch(): Promise<Row> {
  using home = makeHome();
  const entries = await migrated(home, { one: { command: "true", env: { API_KEY: "sk-live-bench-canary-0001" } } });
  const { command, args, env } = entryOf(entries, "one");
  const launch: Timed = { name: "launch", command, args, env: { ...home.env, ...env } };
  addRotation(home, { "mcp-secret://local/one/API_KEY": { target: "human", maxAge: "30d" } });
  await cli(home, ["rotate", "--due"]);
  const due = join(home.home, ".mcp-secrets", "rotation", "due");
  const hint = readFileSync(due, "utf8");
  const times = { idle: [] as number[], due: [] as number[] };
  for (let turn = -2; turn < ROUNDS; turn += 1) {
    for (const kind of turn % 2 === 0 ? (["idle", "due"] as const) : (["due", "idle"] as const)) {
      writeFileSync(due, kind === "idle" ? hint : hint.replace(/ \d+$/, " 1"));
      const time = await once(launch);
      if (turn >= 0) times[kind].push(time);
    }
  }
  const ratio = timesOf(times.due).median / timesOf(times.idle).median;
  const least = timesOf(times.due).min / timesOf(times.idle).min;
  return {
    what: "a launch with a rotation that is due, beside one without",
    result: `${round(ratio, 3)} × (least: ${round(least, 3)} ×), ${round(timesOf(times.idle).median)} ms without`,
    goal: "≤ 1.05",
    met: ratio <= 1.05,
  };
}
