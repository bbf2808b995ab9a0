import { readFileSync, readlinkSync } from "node:fs";
import { hostname, uptime } from "node:os";
import type { Owner, OwnerState } from "../core/owner.ts";
import { systemCode } from "../errors.ts";

export type { Owner, OwnerState };

/** What the judgement rests on: a test passes its own. */
export interface Processes {
  readonly host: string;
  readonly boot: string;
  readonly namespace: string;
  /** When this system was started, in milliseconds since the epoch. */
  readonly bootedAt: number;
  /** The start of a running process; empty where it runs and the system does not tell; undefined where none runs. */
  startOf(pid: number): string | undefined;
}

/** A clock that is set while a lock is held, or one that drifts, must not make a holder look older than the boot. */
const CLOCK_TOLERANCE = 120_000;

export function realProcesses(now: () => number): Processes {
  return {
    // Two machines that share a folder may share a name.
    host: `${hostname()} ${textOf(() => readFileSync("/etc/machine-id", "latin1"))}`.trim(),
    boot: textOf(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1")),
    namespace: textOf(() => readlinkSync("/proc/self/ns/pid")),
    bootedAt: now() - uptime() * 1000,
    startOf: startOfProcess,
  };
}

export function ownerOf(pid: number, since: number, processes: Processes): Owner {
  const { host, boot, namespace } = processes;
  return { pid, host, boot, namespace, started: processes.startOf(pid) ?? "", since };
}

/**
 * On Linux exact: boot, namespace, pid and start time name one process. Elsewhere the pid and the time of the boot must
 * do: a later process with the pid of a killed holder makes the others wait until their time is out, which tells the
 * user, and never breaks a lock that is held.
 */
export function stateOf(owner: Owner, processes: Processes): OwnerState {
  if (owner.host !== processes.host) return "unknown";
  if (owner.boot !== processes.boot) return "dead";
  if (owner.boot === "" && owner.since < processes.bootedAt - CLOCK_TOLERANCE) return "dead";
  if (owner.namespace !== processes.namespace) return "unknown";
  const started = processes.startOf(owner.pid);
  if (started === undefined) return "dead";
  return started === owner.started || started === "" || owner.started === "" ? "alive" : "dead";
}

/**
 * The start of a running process as the system counts it; empty where it does not tell; undefined where none runs.
 * Field 22 of /proc/PID/stat, counted after the name, which may hold anything; `Z` and `X` are processes that ended.
 */
export function startOfProcess(pid: number): string | undefined {
  const stat = textOf(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  if (stat === "") return exists(pid) ? "" : undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
}

function textOf(read: () => string): string {
  try {
    return read().trim();
  } catch {
    return "";
  }
}

/** The program of the process that started us, where the system tells it (proc(5)) and lets us look. */
export function parentProgram(): string | undefined {
  const program = textOf(() => readlinkSync(`/proc/${process.ppid}/exe`));
  return program === "" ? undefined : program;
}
