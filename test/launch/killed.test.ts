import { type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAlive, until } from "../helpers/launched.ts";

/** A launcher that is killed before it could tell its watcher which process the server is. */

const CONTRACT = 4000;
let folder: string;
let worker: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mcps-killed-"));
  worker = join(folder, "worker.cjs");
  const entryPoints = [resolve(import.meta.dirname, "killed-worker.ts")];
  buildSync({ entryPoints, bundle: true, platform: "node", format: "cjs", target: "node20", outfile: worker });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The server and its child, of a launcher that is gone. */
async function startKilled(program: string, stdio: StdioOptions): Promise<number[]> {
  const file = join(folder, `${program}-${JSON.stringify(stdio).replace(/\W/g, "")}.pids`);
  const server = resolve(import.meta.dirname, `../programs/${program}.sh`);
  const client = spawn(process.execPath, [worker, "/bin/sh", server], { stdio, env: { ...process.env, PIDS: file } });
  await once(client, "exit");
  expect(client.signalCode).toBe("SIGKILL");
  return readFileSync(file, "utf8").trim().split(" ").map(Number);
}

describe.runIf(process.platform === "linux")("its server is ended all the same, with its child", () => {
  test.concurrent.each(["stubborn", "polite"])("a %s one", async (program) => {
    const pids = await startKilled(program, "pipe");
    expect(await until(() => !pids.some(isAlive), CONTRACT)).toBe(true);
  });

  test.concurrent.each([
    ["stdout", ["ignore", "pipe", "ignore"]],
    ["stdin", ["pipe", "ignore", "ignore"]],
  ] as const)("where only %s is a pipe", async (_, stdio) => {
    const pids = await startKilled("stubborn", [...stdio]);
    expect(await until(() => !pids.some(isAlive), CONTRACT)).toBe(true);
  });

  test.concurrent("and nobody else's: where others may have the same stdio, nothing is guessed", async () => {
    const pids = await startKilled("stubborn", "ignore");
    await sleep(2000);
    expect(pids.every(isAlive)).toBe(true);
    for (const pid of pids) process.kill(pid, "SIGKILL");
  });
});
