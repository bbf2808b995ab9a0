import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { constants, hostname } from "node:os";
import { join } from "node:path";
import { parseRun, RUN_HELP, type RunContext, runServer } from "./commands/run.ts";
import type { Http } from "./core/http.ts";
import { UserError } from "./errors.ts";
import { turnCoresOff } from "./io/cores.ts";
import { keepDebuggerClosed } from "./io/debugger.ts";
import { createFiles } from "./io/files.ts";
import { findHomes } from "./io/home.ts";
import { createLock } from "./io/locks.ts";
import { parentProgram, startOfProcess } from "./io/owner.ts";
import { inspectProgram, probeProgram } from "./io/program-file.ts";
import { replacer } from "./io/replace.ts";
import { openStore } from "./stores.ts";

export interface Program {
  /** Where the built program is. */
  readonly folder: string;
  /** Keeps what was compiled for the next start. Called when nothing is waited for any more. */
  readonly keep: () => void;
}

/** A server has started by then, in milliseconds. */
const IDLE = 5000;

/**
 * `run`, which is on the hot path of every server that a client starts: what is not needed for it is not loaded.
 * `args` are the words behind `run`.
 */
export async function start(args: readonly string[], program: Program): Promise<void> {
  if (process.env["NODE_DEBUG"] !== undefined) muteNode();
  if (args[0] === "--help" || args[0] === "-h") return void writeSync(1, RUN_HELP);
  try {
    // Many a client kills its servers at the end.
    setTimeout(program.keep, IDLE).unref();
    await turnCoresOff();
    keepDebuggerClosed();
    const ending = await runServer(launchContext(program), parseRun(args));
    program.keep();
    const { endAs } = await import("./io/end.ts");
    endAs(ending, constants.signals);
  } catch (error) {
    await fail(error);
  }
}

/** Tells the user and the client why there is no server, in the way that each of them listens to. */
async function fail(error: unknown): Promise<void> {
  const { message, hint = "mcp-secrets doctor", exit } = error instanceof UserError ? error : await bugError(error);
  const [{ told }, { printable }] = [await import("./core/told.ts"), await import("./core/table.ts")];
  tell(told("error", message, hint));
  const { Responder } = await import("./launch/responder.ts");
  const { answerUntilEnd } = await import("./io/failure.ts");
  await answerUntilEnd(new Responder(printable(`[mcp-secrets] ${message}; ${hint}`)));
  process.exit(exit);
}

/** Its calls are told at once, for there is no place for them in an answer to a client. */
async function bugError(error: unknown): Promise<UserError> {
  const { bugReport } = await import("./core/bug.ts");
  const { what, stack } = bugReport(error);
  tell(stack);
  return new UserError("bug", `a bug in mcp-secrets ${VERSION}: ${what}`, {
    hint: "report it with the calls on stderr: no arguments and no environment are in them",
  });
}

export function launchContext({ folder, keep }: Program): RunContext {
  const { env, pid, platform } = process;
  const homes = findHomes(env);
  const random = () => randomBytes(12).toString("hex");
  const files = createFiles({ platform, random });
  const lock = createLock({ pid, now: Date.now, random });
  const replace = replacer(keep);
  const http: Http = async (call) => (await import("./io/http.ts")).createHttp(Date.now)(call);
  const host = { ...homes, files, lock, now: Date.now, platform, hostname: hostname(), random, http };
  return {
    env,
    platform,
    ...homes,
    hostname: host.hostname,
    uid: process.getuid?.() ?? -1,
    pid,
    ppid: process.ppid,
    parentProgram,
    startOf: startOfProcess,
    now: Date.now,
    random,
    files,
    err: tell,
    programs: { probe: probeProgram, inspect: inspectProgram, ...(replace === undefined ? {} : { replace }) },
    loadProcesses: async () => (await import("./io/processes.ts")).createProcesses(),
    openStore: (store) => openStore(host, store),
    self: [process.execPath, join(folder, "launcher.cjs")],
  };
}

/** With NODE_DEBUG Node prints on stderr what a child is started with, values and all. What we say goes another way. */
function muteNode(): void {
  Object.defineProperty(process, "stderr", { value: { write: () => true, hasColors: () => false, isTTY: false } });
}

function tell(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nobody listens.
  }
}
