#!/usr/bin/env node
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { constants, homedir, hostname } from "node:os";
import { join } from "node:path";
import { parseRun, type RunContext, runServer } from "./commands/run.ts";
import { EXIT, UserError } from "./errors.ts";
import { createFiles } from "./io/files.ts";
import { createLock } from "./io/locks.ts";
import { parentProgram, startOfProcess } from "./io/owner.ts";
import { inspectProgram, probeProgram } from "./io/program-file.ts";
import { replacer } from "./io/replace.ts";
import { openStore } from "./stores.ts";

/**
 * The way in. `run` is on the hot path of every server that a client starts, so it is all that is loaded here; every
 * other command is in cli.cjs.
 */
// A signal that makes Node open its debugger, to whoever may signal us (node(1), "Signal events").
process.on("SIGUSR1", () => {});

if (process.env["NODE_DEBUG"] !== undefined) muteNode();

if (process.argv[2] === "run") void run(process.argv.slice(3));
else require("./cli.cjs");

async function run(args: readonly string[]): Promise<void> {
  try {
    const ending = await runServer(launchContext(), parseRun(args));
    const { endAs } = await import("./io/end.ts");
    endAs(ending, constants.signals);
  } catch (error) {
    await fail(error);
  }
}

/** Tells the user and the client why there is no server, in the way that each of them listens to. */
async function fail(error: unknown): Promise<void> {
  const known = error instanceof UserError ? error : undefined;
  const message = known?.message ?? `a bug in mcp-secrets: ${String(error)}`;
  const hint = known?.hint ?? "report it with the lines above";
  if (known === undefined && error instanceof Error) tell(`${error.stack ?? ""}\n`);
  tell(`[mcp-secrets] error: ${message}\n[mcp-secrets] hint: ${hint}\n`);
  const { Responder } = await import("./launch/responder.ts");
  const { answerUntilEnd } = await import("./io/failure.ts");
  await answerUntilEnd(new Responder(`[mcp-secrets] ${message}; ${hint}`));
  process.exit(known?.exit ?? EXIT.stuck);
}

function launchContext(): RunContext {
  const { env, pid, platform } = process;
  const userHome = env["HOME"] ?? homedir();
  const home = env["MCPS_HOME"] ?? join(userHome, ".mcp-secrets");
  const random = () => randomBytes(12).toString("hex");
  const files = createFiles({ platform, random });
  const lock = createLock({ pid, now: Date.now, random });
  const replace = replacer();
  const host = { home, files, lock, now: Date.now, userHome, platform, hostname: hostname(), random };
  return {
    env,
    platform,
    userHome,
    home,
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
    self: [process.execPath, __filename],
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
