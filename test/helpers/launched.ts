import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Home } from "./cli.ts";
import type { ServerEntry } from "./migrated.ts";

/** A launch as a client sees it, and the processes behind it. */
export interface Launched {
  readonly client: ChildProcess;
  /** The launcher, the server and the server's child. */
  readonly pids: readonly number[];
}

/** Starts an entry whose server writes its process numbers to the file in PIDS, and waits until it did. */
export async function launched({ command, args, env }: ServerEntry, home: Home, name: string): Promise<Launched> {
  const file = join(home.work, `${name}.pids`);
  const client = spawn(command, args, { env: { ...home.env, ...env, PIDS: file }, cwd: home.work });
  client.stdin.on("error", () => {});
  const written = () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n");
  if (!(await until(written, 20_000))) throw new Error(`${name} did not start`);
  const pids = readFileSync(file, "utf8").trim().split(" ").map(Number);
  return { client, pids: [client.pid ?? 0, ...pids] };
}

/** Asks again and again, for at most `ms`. */
export async function until(holds: () => boolean, ms: number): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(20)) {
    if (holds()) return true;
  }
  return holds();
}

/** False for what has ended, whether or not somebody has waited for it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== "linux") return true;
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !["Z", "X"].includes(stat.slice(stat.lastIndexOf(")") + 2)[0] ?? "");
  } catch {
    return false;
  }
}
