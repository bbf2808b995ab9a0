import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../../src/errors.ts";
import { type LockOptions, withLock } from "../../src/io/locks.ts";
import { realProcesses } from "../../src/io/owner.ts";

let folder: string;
let worker: string;
let lock: string;

const random = () => randomBytes(12).toString("hex");
const options: LockOptions = { pid: process.pid, now: Date.now, random };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mcps-locks-"));
  worker = join(folder, "worker.cjs");
  const entryPoints = [resolve(import.meta.dirname, "lock-worker.ts")];
  buildSync({ entryPoints, bundle: true, platform: "node", format: "cjs", target: "node20", outfile: worker });
});
beforeEach(() => (lock = join(folder, `${random()}-dir`, "x.lock")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("withLock", () => {
  test("holds the lock while it runs, gives the result, and leaves nothing", async () => {
    const result = await withLock(
      lock,
      async () => {
        expect(JSON.parse(readFileSync(lock, "utf8"))).toMatchObject({ pid: process.pid });
        return 7;
      },
      options,
    );
    expect(result).toBe(7);
    expect(leftIn(lock)).toEqual([]);
  });

  test("is free again after a failure", async () => {
    const failing = withLock(lock, () => Promise.reject(new Error("inside")), options);
    await expect(failing).rejects.toThrow("inside");
    expect(existsSync(lock)).toBe(false);
  });

  test("calls of one process take turns", async () => {
    let held = 0;
    let seen = 0;
    const turn = () =>
      withLock(
        lock,
        async () => {
          held += 1;
          seen = Math.max(seen, held);
          await sleep(5);
          held -= 1;
        },
        options,
      );
    await Promise.all(Array.from({ length: 10 }, turn));
    expect(seen).toBe(1);
  });

  test("a holder that lives is waited for, then named", async () => {
    const failure = await withLock(
      lock,
      () => withLock(lock, async () => "never", { ...options, patience: 60 }),
      options,
    ).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect(failure).toMatchObject({ code: "locked", exit: 75 });
    expect(String(failure)).toContain(`process ${process.pid} `);
  });

  test.each([
    ["of a process that ended", () => ({ pid: endedPid() })],
    ["of an earlier process with the same pid", () => ({ started: "1" })],
    ["from before the last boot", () => ({ boot: "another" })],
  ])("a lock %s is superseded at once", async (_, change) => {
    await plant(change());
    expect(await withLock(lock, async () => "taken", { ...options, patience: 0 })).toBe("taken");
    expect(leftIn(lock)).toEqual([]);
  });

  test.each([
    ["on another host", { host: "elsewhere" }],
    ["in another container", { namespace: "pid:[1]" }],
  ])("a lock %s is never broken: nobody here can tell", async (_, change) => {
    await plant(change);
    await expect(withLock(lock, async () => "taken", { ...options, patience: 30 })).rejects.toMatchObject({
      code: "locked",
      hint: expect.stringContaining(lock) as string,
    });
  });

  test.each(["", "{", "null", '{"nonce":"../../etc"}'])("what a power cut left is no holder: %j", async (text) => {
    await plant({});
    writeFileSync(lock, text);
    expect(await withLock(lock, async () => "taken", { ...options, patience: 0 })).toBe("taken");
  });

  test("another waiter that broke it first, and holds it now, is left alone", async () => {
    const pid = endedPid();
    await plant({ pid });
    const dead = readFileSync(lock, "utf8");
    const real = realProcesses(Date.now);
    let breakers = 0;
    const startOf = (asked: number) => {
      // Between our look at the dead holder and our breaking of its lock.
      if (asked === pid && breakers === 0) {
        breakers += 1;
        writeFileSync(lock, dead.replace(`"pid":${pid}`, `"pid":${process.pid}`).replace(nonceIn(dead), random()));
      }
      return real.startOf(asked);
    };
    const late = withLock(lock, async () => "taken", { ...options, patience: 60, processes: { ...real, startOf } });
    await expect(late).rejects.toMatchObject({ code: "locked" });
    expect(breakers).toBe(1);
    expect(existsSync(lock)).toBe(true);
  });

  test("while another waiter breaks it, nobody else does", async () => {
    const nonce = await plant({});
    const alive = readFileSync(lock, "utf8");
    writeFileSync(lock, alive.replace(`"pid":${process.pid}`, `"pid":${endedPid()}`));
    writeFileSync(join(lock, "..", `.mcp-secrets-guard-${nonce}`), alive.replace(nonce, random()));
    const second = withLock(lock, async () => "taken", { ...options, patience: 60 });
    await expect(second).rejects.toMatchObject({ code: "locked" });
    expect(existsSync(lock)).toBe(true);
  });

  test("a guard of a breaker that was killed is broken too, and swept", async () => {
    const nonce = await plant({ pid: endedPid() });
    const planted = readFileSync(lock, "utf8");
    for (const name of [`.mcp-secrets-guard-${nonce}`, ".mcp-secrets-guard-old-one", ".mcp-secrets-tmp-old"]) {
      writeFileSync(join(lock, "..", name), planted.replace(nonce, random()));
    }
    expect(await withLock(lock, async () => "taken", { ...options, patience: 0 })).toBe("taken");
    expect(leftIn(lock)).toEqual([]);
  });
});

describe("many processes", () => {
  test("lose no turn", async () => {
    const file = join(folder, "plain");
    writeFileSync(file, "");
    await Promise.all(Array.from({ length: 6 }, () => once(startWorker(file, 30), "exit")));
    expectCounted(file, 180);
  }, 120_000);

  test("lose no turn while holders and breakers are killed", async () => {
    const file = join(folder, "killed");
    writeFileSync(file, "");
    const workers: ChildProcess[] = [];
    for (let kills = 0; kills < 80; kills += 1) {
      while (workers.length < 4) workers.push(startWorker(file, 1_000_000));
      await sleep(30 + Math.floor(Math.random() * 60));
      await kill(workers.splice(Math.floor(Math.random() * workers.length), 1));
    }
    await kill(workers);
    // The lock of the last one is nobody's.
    await once(startWorker(file, 1), "exit");
    const lines = readFileSync(file, "utf8").split("\n").length - 1;
    expect(lines).toBeGreaterThan(20);
    expectCounted(file, lines);
    expect(existsSync(`${file}.lock`)).toBe(false);
  }, 120_000);
});

function startWorker(file: string, times: number): ChildProcess {
  return spawn(process.execPath, [worker, file, String(times), "2"], { stdio: ["ignore", "ignore", "inherit"] });
}

async function kill(workers: readonly ChildProcess[]): Promise<void> {
  const ended = workers.map((child) => once(child, "exit"));
  for (const child of workers) child.kill("SIGKILL");
  await Promise.all(ended);
}

function expectCounted(file: string, lines: number): void {
  const expected = Array.from({ length: lines }, (_, index) => `${index}\n`).join("");
  expect(readFileSync(file, "utf8")).toBe(expected);
}

/** Leaves a lock as a holder with other properties would have, and gives its nonce. */
async function plant(change: object): Promise<string> {
  const text = await withLock(lock, async () => readFileSync(lock, "utf8"), options);
  const holding = { ...(JSON.parse(text) as { nonce: string }), ...change };
  writeFileSync(lock, JSON.stringify(holding));
  return holding.nonce;
}

function nonceIn(text: string): string {
  return (JSON.parse(text) as { nonce: string }).nonce;
}

function leftIn(path: string): string[] {
  return readdirSync(join(path, ".."));
}

function endedPid(): number {
  const { pid } = spawnSync("true");
  expect(realProcesses(Date.now).startOf(pid)).toBeUndefined();
  return pid;
}
