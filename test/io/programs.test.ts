import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, onTestFinished, test } from "vitest";
import { startOfProcess } from "../../src/io/owner.ts";
import { runProgram } from "../../src/io/programs.ts";

const LONG_TIME = 60;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "mcps-programs-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs `script` in a shell, told one line. */
function converse(script: string, timeout = 20_000, started?: (pid: number) => Promise<void>) {
  const more = started === undefined ? {} : { started };
  return runProgram("/bin/sh", ["-c", script], { input: "told\n", timeout, ...more });
}

/** The process that a script wrote down, once it is gone; fails where it never goes. */
async function gone(file: string): Promise<void> {
  const pid = Number(readFileSync(file, "utf8"));
  expect(pid).toBeGreaterThan(1);
  await expect.poll(() => startOfProcess(pid), { timeout: 10_000, interval: 20 }).toBeUndefined();
}

describe("a program that is run for its answer", () => {
  test("gets its input, and nothing else of ours", async () => {
    const { stdout, exit } = await converse('read -r line; echo "it was $line"; echo noise >&2; exit 3');
    expect({ stdout, exit }).toEqual({ stdout: "it was told", exit: 3 });
  });

  test("that is not there is told apart from one that fails", async () => {
    const run = runProgram("/nowhere/program", [], { input: "", timeout: 20_000 });
    expect(await run).toEqual({ stdout: "", stderr: "", exit: undefined, missing: true });
    expect(await runProgram("/nowhere/program", [], { timeout: 20_000 })).toMatchObject({ missing: true });
  });

  test.each([
    ["ignores SIGTERM", `trap '' TERM; echo $$ >FILE; sleep ${LONG_TIME} & wait; sleep ${LONG_TIME}`],
    ["has a child that keeps its stdout", `sleep ${LONG_TIME} & echo $! >FILE; wait`],
  ])("is ended with its whole group at the time-out, where it %s", async (_what, script) => {
    const file = join(folder(), "pid");
    const { exit } = await converse(script.replaceAll("FILE", file), 300);
    expect(exit).toBeUndefined();
    await gone(file);
  });

  test("has answered with its own end, whoever keeps its stdout open", async () => {
    const file = join(folder(), "pid");
    const answer = await converse(`sleep ${LONG_TIME} & echo $! >'${file}'; echo done`);
    expect(answer).toMatchObject({ stdout: "done", exit: 0 });
    await gone(file);
    // What has made itself a session of its own is not ended, and not waited for.
    const apart = await converse(`setsid sleep ${LONG_TIME} & echo $! >'${file}'; echo done`);
    expect(apart).toMatchObject({ stdout: "done", exit: 0 });
    process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
  });

  test("without input is not waited for either when its time is over", async () => {
    const answer = await runProgram("/bin/sh", ["-c", `sleep 3 & wait; sleep 3`], { timeout: 200 });
    expect(answer.exit).toBeUndefined();
  });

  test("that says too much has said nothing", async () => {
    expect((await converse("yes")).exit).toBeUndefined();
  });

  test("gets no input where what is told of it fails", async () => {
    const file = join(folder(), "input");
    const run = converse(`read -r line && echo "$line" >'${file}'`, 20_000, () => Promise.reject(new Error("no")));
    await expect(run).rejects.toThrow("no");
    expect(existsSync(file)).toBe(false);
  });

  test("is told of before it gets its input", async () => {
    let pid = 0;
    const { stdout } = await converse("read -r line; echo $$", 20_000, async (given) => void (pid = given));
    expect(stdout).toBe(String(pid));
  });

  test("ends with us, however we end", async () => {
    const path = folder();
    const [worker, file] = [join(path, "worker.cjs"), join(path, "pid")];
    // It gets its input when somebody stands by to end it; before that it has nothing to do.
    const script = `trap '' TERM; read -r _; echo $$ >'${file}.new'; mv '${file}.new' '${file}'; sleep ${LONG_TIME} & wait; sleep ${LONG_TIME}`;
    const entry = join(path, "entry.ts");
    const source = join(import.meta.dirname, "../../src/io/programs.ts");
    const options = `{ input: "told", timeout: ${LONG_TIME * 1000} }`;
    writeFileSync(
      entry,
      `import { runProgram } from ${JSON.stringify(source)};\nvoid runProgram("/bin/sh", ["-c", ${JSON.stringify(script)}], ${options});\n`,
    );
    await build({ entryPoints: [entry], outfile: worker, bundle: true, platform: "node", logLevel: "error" });
    const child = spawn(process.execPath, [worker], { stdio: "ignore" });
    await expect.poll(() => existsSync(file), { timeout: 20_000, interval: 20 }).toBe(true);
    child.kill("SIGKILL");
    await gone(file);
  });
});
