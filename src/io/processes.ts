import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { isatty } from "node:tty";
import type { Child, ChildSpec, Ending, Processes, Watcher } from "../core/processes.ts";
import { systemCode } from "../errors.ts";
import { watchInput } from "./input.ts";

/** The real `Processes`. Loaded only where a child is supervised: node:child_process costs some milliseconds. */
export function createProcesses(): Processes {
  return {
    // Who types at us has stdin. A client at a terminal passes its stderr on, and ends servers all the same.
    hasTerminal: () => isatty(0),
    spawn: start,
    streams: () => [0, 1].map(streamName),
    watch,
    detach,
    signal: sendSignal,
    onSignals(names, heard) {
      for (const name of names) process.on(name, heard);
    },
    onInputEnd: watchInput,
    succeeds: (file, args) => spawnSync(file, args, { stdio: "ignore" }).status === 0,
    after: (ms, act) => {
      setTimeout(act, ms).unref();
    },
  };
}

function start(spec: ChildSpec): Promise<Child> {
  // Inherited by number: touching process.stdin would leave O_NONBLOCK on the client's pipe.
  const child = spawn(spec.file, [...spec.args], {
    argv0: spec.argv0,
    env: { ...spec.env },
    stdio: "inherit",
    shell: false,
    detached: spec.group,
    windowsHide: true,
    windowsVerbatimArguments: spec.verbatim === true,
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    const { pid } = child;
    if (pid !== undefined) resolve({ pid, ended: endOf(child) });
  });
}

function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/** `pipe:[7]` or `socket:[7]` (proc(5)). */
function streamName(fd: number): string {
  try {
    const name = readlinkSync(`/proc/self/fd/${fd}`);
    return /^(?:pipe|socket):/.test(name) ? name : "-";
  } catch {
    return "-";
  }
}

function watch(script: string, words: readonly string[] = []): Watcher {
  const shell = spawn("/bin/sh", ["-c", script, "mcp-secrets", ...words], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    // Its only tie to us is the pipe: it must not hold the client's stdio open.
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Not there where we have no file descriptor left for it.
  const pipe: Writable | null | undefined = shell.stdin;
  // No shell, or one that was killed: the launch goes on without.
  shell.on("error", () => {});
  pipe?.on("error", () => {});
  shell.unref();
  if (pipe) unref(pipe);
  return {
    guard: (target) => void pipe?.write(`${target}\n`),
    // It is our child until we are gone, so that its number cannot be another's.
    dismiss: () => void shell.kill("SIGKILL"),
  };
}

function detach(script: string): Promise<void> {
  const shell = spawn("/bin/sh", ["-c", script], {
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: "ignore",
    detached: true,
  });
  return new Promise((resolve) => {
    shell.once("error", () => resolve());
    shell.once("exit", () => resolve());
  });
}

/** The pipe of a child is a socket to Node, which its type does not tell. */
function unref(pipe: object): void {
  if ("unref" in pipe) (pipe as Socket).unref();
}

function sendSignal(target: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, name);
    return true;
  } catch (error) {
    // EPERM: somebody is there, though not ours to signal (a set-user-id program).
    return systemCode(error) === "EPERM";
  }
}
