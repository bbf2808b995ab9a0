import { randomBytes } from "node:crypto";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Files } from "./core/files.ts";
import type { Http } from "./core/http.ts";
import type { Lock } from "./core/lock.ts";
import type { Owner, OwnerState } from "./core/owner.ts";
import type { Thread, Threads } from "./core/threads.ts";
import { createFiles } from "./io/files.ts";
import { findHomes } from "./io/home.ts";
import { createLock, lockHolder } from "./io/locks.ts";
import { ownerOf, parentProgram, realProcesses, startOfProcess, stateOf } from "./io/owner.ts";
import { probeProgram } from "./io/program-file.ts";
import type { Answer } from "./io/programs.ts";
import { replacer } from "./io/replace.ts";
import { type Terminal, realTerminal } from "./io/terminal.ts";

/** Everything that a command gets from outside. Tests build one from buffers, temporary folders and a fixed clock. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly platform: NodeJS.Platform;
  /** The user's home folder. */
  readonly userHome: string;
  /** The folder of mcp-secrets: `~/.mcp-secrets`, or `MCPS_HOME`. */
  readonly home: string;
  /** The folder for temporary files of this system. */
  readonly temporary: string;
  readonly hostname: string;
  readonly uid: number;
  readonly pid: number;
  readonly ppid: number;
  /** The built program that runs here, and the Node that runs it. */
  readonly program: {
    readonly version: string;
    readonly folder: string;
    readonly node: string;
    /** True where that Node can put another program in its place. */
    readonly replaces: boolean;
  };
  /** The program that started us, where the system tells it. */
  readonly parentProgram: () => string | undefined;
  /** What a path holds that is to be run: a program, something else, or nothing. */
  readonly probe: (path: string) => "program" | "other" | undefined;
  /** When a running process started, as the system counts; empty where it does not tell; undefined where none runs. */
  readonly startOf: (pid: number) => string | undefined;
  /** This process, or the one of that number, for a claim that others may see. */
  readonly owner: (pid?: number) => Owner;
  readonly stateOf: (owner: Owner) => OwnerState;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds. */
  readonly sleep: (time: number) => Promise<void>;
  /** 96 random bits as text that is safe in a file name. */
  readonly random: () => string;
  readonly files: Files;
  readonly lock: Lock;
  /** Who holds the lock of a path; undefined where nobody that lives does. */
  readonly lockHolder: (path: string) => Owner | undefined;
  readonly threads: Threads;
  readonly terminal: Terminal;
  /** Runs a program without a shell for its answer; `timeout` in milliseconds. */
  readonly run: (command: string, args: readonly string[], timeout: number, env?: Environment) => Promise<Answer>;
  /** As `run`, in just that environment, with `input` on its stdin; it ends with us. `started` is told of it before. */
  readonly converse: (
    command: string,
    args: readonly string[],
    options: {
      readonly input: string;
      readonly timeout: number;
      readonly env: Environment;
      readonly started?: (pid: number) => Promise<void>;
    },
  ) => Promise<Answer>;
  readonly http: Http;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UserError unsafe-environment where HOME or MCPS_HOME name no folder */
export function realContext(terminal = realTerminal()): Context {
  const env = process.env;
  const random = () => randomBytes(12).toString("hex");
  return {
    env,
    cwd: process.cwd(),
    platform: process.platform,
    ...findHomes(env),
    temporary: tmpdir(),
    hostname: hostname(),
    uid: process.getuid?.() ?? -1,
    pid: process.pid,
    ppid: process.ppid,
    program: {
      version: VERSION,
      folder: __dirname,
      node: process.execPath,
      replaces: replacer(() => {}) !== undefined,
    },
    parentProgram,
    probe: probeProgram,
    startOf: startOfProcess,
    owner: (pid = process.pid) => ownerOf(pid, Date.now(), realProcesses(Date.now)),
    stateOf: (owner) => stateOf(owner, realProcesses(Date.now)),
    now: Date.now,
    sleep: (time) => new Promise((resolve) => setTimeout(resolve, time)),
    random,
    files: createFiles({ platform: process.platform, random }),
    lock: createLock({ pid: process.pid, now: Date.now, random }),
    lockHolder: (path) => lockHolder(path, realProcesses(Date.now)),
    threads: threadsOf(join(__dirname, "thread.cjs")),
    terminal,
    run: async (command, args, timeout, programEnv) => {
      const { runProgram } = await import("./io/programs.ts");
      return runProgram(command, args, { timeout, ...(programEnv === undefined ? {} : { env: programEnv }) });
    },
    converse: async (command, args, options) => {
      const { runProgram } = await import("./io/programs.ts");
      return runProgram(command, args, options);
    },
    http: async (call) => {
      const { createHttp } = await import("./io/http.ts");
      return createHttp(Date.now)(call);
    },
  };
}

/** Started once. */
function threadsOf(file: string): Threads {
  let started: Promise<readonly Thread[]> | undefined;
  return () => (started ??= import("./io/threads.ts").then(({ startThreads }) => startThreads(file)));
}
