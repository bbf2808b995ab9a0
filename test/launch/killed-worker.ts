import { existsSync, readFileSync } from "node:fs";
import { createProcesses } from "../../src/io/processes.ts";
import { supervise } from "../../src/launch/supervise.ts";

/** A launcher that is killed when its server runs, and nobody was told yet which process that is. */
const [file = "", ...args] = process.argv.slice(2);
const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]));
const pids = env["PIDS"] ?? "";
const processes = createProcesses();
const platform = process.platform;

const spawn: typeof processes.spawn = async (spec) => {
  await processes.spawn(spec);
  while (!existsSync(pids) || !readFileSync(pids, "utf8").endsWith("\n")) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
};
void supervise({ ...processes, spawn }, { file, argv0: file, args, env, group: true }, { platform, group: true });
