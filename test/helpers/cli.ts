import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** The built program. */
export const LAUNCHER = resolve(import.meta.dirname, "../../dist/launcher.cjs");

/** True for `npm run test:long`: every step of what `npm test` samples. */
export const LONG = process.env["MCPS_LONG"] === "1";

export interface Home extends Disposable {
  readonly root: string;
  /** `HOME` of what is started. */
  readonly home: string;
  /** A working folder beside it. */
  readonly work: string;
  /** `TMPDIR`, so that nothing left there is missed. */
  readonly tmp: string;
  /** What a GUI client gives to a server, and TMPDIR. */
  readonly env: Readonly<Record<string, string>>;
}

/** A fresh user with nothing in the home folder. */
export function makeHome(): Home {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "mcps-test-")));
  const [home, work, tmp] = ["home", "work", "tmp"].map((name) => join(root, name)) as [string, string, string];
  for (const dir of [home, work, tmp]) mkdirSync(dir, { mode: 0o700 });
  const env = {
    HOME: home,
    LOGNAME: "user",
    PATH: `${dirname(process.execPath)}:/usr/bin:/bin:/usr/sbin:/sbin`,
    SHELL: "/bin/sh",
    TERM: "xterm",
    USER: "user",
    TMPDIR: tmp,
  };
  return { root, home, work, tmp, env, [Symbol.dispose]: () => [root, templateOf(root)].forEach(removeTree) };
}

/** Keeps the home as it is now, for `resetHome`. */
export function saveHome({ root }: Home): void {
  cpSync(root, templateOf(root), { recursive: true, preserveTimestamps: true });
}

/** Brings the home back to what it was at `saveHome`. */
export function resetHome(home: Home): void {
  for (const folder of [home.home, home.work, home.tmp]) removeTree(folder);
  cpSync(templateOf(home.root), home.root, { recursive: true, preserveTimestamps: true });
}

function templateOf(root: string): string {
  return `${root}.template`;
}

/** A watcher or a server that is just ending may still write a file. */
function removeTree(root: string): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Its own retries do not cover a folder that is filled again (ENOTEMPTY) on Node 20.
      rmSync(root, { recursive: true, force: true });
      return;
    } catch (error) {
      if (attempt === 50) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}

export interface Start {
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input?: string | Buffer;
  /** Arguments of Node before the program. */
  readonly nodeArgs?: readonly string[];
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts any command, gives it `input` and waits for its end. */
export async function execute(command: string, args: readonly string[], start: Start): Promise<Ended> {
  const child = spawn(command, args, { cwd: start.cwd, env: start.env });
  // A program that does not read its input closes it.
  child.stdin.on("error", () => {});
  child.stdin.end(start.input ?? "");
  return ended(child);
}

/** Starts the built program. */
export function mcpSecrets(args: readonly string[], start: Start): Promise<Ended> {
  return execute(process.execPath, [...(start.nodeArgs ?? []), LAUNCHER, ...args], start);
}

/** How a child ended and what it wrote, once its pipes are closed. */
export function ended(child: ChildProcess): Promise<Ended> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (code, signal) => {
      done({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

/** True where the command is found on PATH. */
export function has(command: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;
}
