import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended } from "../helpers/cli.ts";

/** Long enough for several looks, in milliseconds. */
const TIME = 3000;
let folder: string;
let worker: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mcps-input-"));
  worker = join(folder, "worker.cjs");
  const entryPoints = [resolve(import.meta.dirname, "input-worker.ts")];
  buildSync({ entryPoints, bundle: true, platform: "node", format: "cjs", target: "node20", outfile: worker });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A shell that starts the worker as `script` says: `$0` is Node, `$1` the worker, `$2` its time. */
function shell(script: string): ChildProcess {
  return spawn("/bin/sh", ["-c", script, process.execPath, worker, String(TIME)]);
}

describe.runIf(process.platform === "linux").concurrent("that a client closed stdin is seen", () => {
  test.each([
    ["a pipe that was closed before the start", 'true | { sleep 0.3; "$0" "$1" "$2"; }'],
    ["a pipe that is closed later", 'sleep 1 | "$0" "$1" "$2"'],
    ["a pipe that comes through a shell", `sleep 1 | sh -c '"$0" "$1" "$2"; true' "$0" "$1" "$2"`],
  ])("%s", async (_, script) => {
    expect(await ended(shell(script))).toMatchObject({ stdout: "closed\n" });
  });

  test("a socket that is closed at once", async () => {
    const client = spawn(process.execPath, [worker, String(TIME)]);
    client.stdin.end();
    expect(await ended(client)).toMatchObject({ stdout: "closed\n" });
  });

  test("a socket that is closed later", async () => {
    const client = spawn(process.execPath, [worker, String(TIME)]);
    const end = ended(client);
    await sleep(1000);
    client.stdin.end();
    expect(await end).toMatchObject({ stdout: "closed\n" });
  });
});

describe.concurrent("and nothing is seen where it is open, or where it cannot be told", () => {
  test.each([
    ["a pipe of the client", 'sleep 5 | "$0" "$1" "$2"'],
    ["a pipe through a shell", `{ sleep 5; } | sh -c '"$0" "$1" "$2"; true' "$0" "$1" "$2"`],
    ["no pipe", '"$0" "$1" "$2" </dev/null'],
  ])("%s", async (_, script) => {
    const client = shell(script);
    const said = new Promise((done) => client.stdout?.once("data", (data: Buffer) => done(data.toString())));
    expect(await said).toBe("open\n");
    client.kill();
  });

  test("a socket", async () => {
    const client = spawn(process.execPath, [worker, String(TIME)]);
    expect(await ended(client)).toMatchObject({ stdout: "open\n" });
  });
});
