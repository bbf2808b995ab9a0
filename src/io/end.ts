import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Ending } from "../core/processes.ts";

/** signal(7): these write a core file, in which our memory would lie with the secrets in it. */
const DUMPING: readonly string[] = ["SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV"];
const ALSO_DUMPING: readonly string[] = ["SIGSYS", "SIGXCPU", "SIGXFSZ"];
/** What a shell says of a process that a signal ended. */
const SIGNAL_BASE = 128;

/** Ends this process as its child ended: with its code, or by the same signal. */
export function endAs({ code, signal }: Ending, signalNumbers: Readonly<Record<string, number>>): void {
  // Node has no name for a real-time signal, and tells neither: killed is not well done.
  if (signal === null) process.exit(code ?? SIGNAL_BASE);
  // Node ignores SIGPIPE and SIGXFSZ; taking away a handler gives back what the system does.
  if (signal !== "SIGKILL" && signal !== "SIGSTOP") process.on(signal, () => {});
  process.removeAllListeners(signal);
  const dumps = DUMPING.includes(signal) || ALSO_DUMPING.includes(signal);
  if (!dumps || limitCores()) process.kill(process.pid, signal);
  // Not reached but where the signal is ignored or would dump.
  setTimeout(() => process.exit(SIGNAL_BASE + (signalNumbers[signal] ?? 0)), dumps ? 0 : 200);
}

/**
 * core(5): a limit of one byte stops core files and, unlike 0, also pipes to a crash reporter. Where the limit is 0 for
 * good, nobody but root may make it 1. True where it is set.
 */
export function limitCores(): boolean {
  if (process.platform !== "linux") return process.platform === "win32";
  const prlimit = ["/usr/bin/prlimit", "/bin/prlimit"].find((path) => existsSync(path));
  if (prlimit === undefined) return false;
  const limits = ["--core=1:1", "--core=0:0"];
  return limits.some((limit) => succeeds(prlimit, [limit, "--pid", String(process.pid)]));
}

function succeeds(file: string, args: readonly string[]): boolean {
  return spawnSync(file, args, { stdio: "ignore" }).status === 0;
}
