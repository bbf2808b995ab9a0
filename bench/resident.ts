import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { execute, has, LAUNCHER, makeHome } from "../test/helpers/cli.ts";
import type { ServerEntry } from "../test/helpers/migrated.ts";
import { treeOf } from "../test/helpers/proc.ts";
import { type Row, round } from "./table.ts";

const COUNT = 15;
const SERVER = ["-c", "echo up; exec cat"];
/** The command line of the server once it runs; all else under a launcher is ours. */
const SERVED = "cat\0";

/** What stays in memory of 15 idle launchers: the proportional set size, from /proc. */
export async function memory(node: string, label: string, goal: number): Promise<Row> {
  using home = makeHome();
  const { command, args, env } = await entryBy(node, home);
  const children = Array.from({ length: COUNT }, () =>
    spawn(command, args, { env: { ...home.env, ...env }, stdio: ["pipe", "pipe", "inherit"] }),
  );
  await Promise.all(children.map((child) => once(child.stdout, "data")));
  await pause(500);
  const ours = children.flatMap((child) => treeOf(child.pid ?? -1)).filter(({ words }) => words !== SERVED);
  const each = ours.reduce((sum, { pid }) => sum + proportional(pid), 0) / COUNT;
  for (const child of children) child.stdin.end();
  await Promise.all(children.map((child) => once(child, "close")));
  return {
    what: `memory of each of ${COUNT} idle launchers, ${label}`,
    result: `${round(each)} MB PSS (${ours.length} processes of ours)`,
    goal: `≤ ${goal} MB`,
    met: each <= goal,
  };
}

/** System calls that read or write in the launcher while a client talks through it. */
export async function protocolBytes(): Promise<Row> {
  const what = "protocol bytes through the launcher";
  if (!has("strace")) return { what, result: "skipped: needs strace" };
  using home = makeHome();
  const { command, args, env } = await entryBy(process.execPath, home);
  const child = spawn(command, args, { env: { ...home.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await pause(300);
  const launcher = treeOf(child.pid ?? -1).find(({ words }) => words.includes("--entry"));
  if (launcher === undefined) throw new Error("the launcher is not there");
  const log = join(home.work, "strace.log");
  const calls = "trace=read,write,readv,writev,recvfrom,sendto,recvmsg,sendmsg,splice,sendfile";
  const tracer = spawn("strace", ["-f", "-p", String(launcher.pid), "-o", log, "-e", calls], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await once(tracer.stderr, "data");
  await pause(300);
  const bytes = await talk(child, 200);
  await pause(200);
  tracer.kill("SIGINT");
  await once(tracer, "close");
  child.stdin.end();
  await once(child, "close");
  const seen = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => /\((\d+)/.test(line));
  return {
    what,
    result: `${seen.length} reads and writes while ${bytes} bytes passed`,
    goal: "0",
    met: seen.length === 0,
  };
}

/** Sends lines and waits for each to come back. */
async function talk(
  child: ChildProcess & { stdin: NodeJS.WritableStream; stdout: NodeJS.ReadableStream },
  rounds: number,
) {
  const line = `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping", params: { text: "x".repeat(1000) } })}\n`;
  for (let sent = 0; sent < rounds; sent += 1) {
    const echoed = arrived(child.stdout, line.length);
    child.stdin.write(line);
    await echoed;
  }
  return 2 * rounds * line.length;
}

function arrived(stream: NodeJS.ReadableStream, length: number): Promise<void> {
  return new Promise((done) => {
    let left = length;
    const take = (chunk: Buffer) => {
      left -= chunk.length;
      if (left > 0) return;
      stream.off("data", take);
      done();
    };
    stream.on("data", take);
  });
}

/** A rewritten entry whose launcher runs on `node`: migrate bakes in the Node that runs it. */
async function entryBy(node: string, home: ReturnType<typeof makeHome>): Promise<ServerEntry> {
  const config = join(home.work, "config.json");
  const server = { command: "sh", args: SERVER, env: { API_KEY: "sk-live-bench-canary-0001" } };
  writeFileSync(config, JSON.stringify({ mcpServers: { one: server } }));
  const done = await execute(node, [LAUNCHER, "migrate", "--config", config, "--yes"], {
    env: home.env,
    cwd: home.work,
  });
  if (done.code !== 0) throw new Error(`migrate ended with ${done.code}: ${done.stderr}`);
  return JSON.parse(readFileSync(config, "utf8")).mcpServers.one;
}

/** Megabytes. */
function proportional(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) / 1024;
}
