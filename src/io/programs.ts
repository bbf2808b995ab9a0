import type { ChildProcess } from "node:child_process";
import { execa } from "execa";
import { createProcesses } from "./processes.ts";

/** How a program ended that was run for its answer. */
export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  /** undefined where it could not be started, was killed or took too long. */
  readonly exit: number | undefined;
  /** There was nothing that could be started. */
  readonly missing?: true;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds. */
  readonly timeout: number;
  /**
   * For its stdin; it has none where this is absent. A program with input works for us alone: it is the leader of a
   * group, which ends with it, at the time-out, and with us, however we end.
   */
  readonly input?: string;
  /** Told its process before it gets its input. Where that fails, it is ended without any. */
  readonly started?: (pid: number) => Promise<void>;
}

/** Milliseconds from SIGTERM to SIGKILL, and again until nobody is waited for any more. */
const GRACE = 1_000;
/** What a program leaves in the background may hold its stdout open for ever. Milliseconds after its own end. */
const LAST_WORDS = 500;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * Runs a program without a shell, and returns what it said. Never throws for how it ended; what it leaves running is
 * waited for no longer than it is itself.
 * @throws what `started` throws
 */
export async function runProgram(command: string, args: readonly string[], options: RunOptions): Promise<Answer> {
  const child = start(command, args, options);
  const group = options.input !== undefined;
  const guard = group && child.pid !== undefined ? guardOf(child.pid) : undefined;
  const said = listen(child, () => send(child, group, "SIGKILL"));
  const ended = endOf(child, group, options.timeout);
  try {
    if (group && child.pid !== undefined) await feed(child, options);
    const exit = await ended;
    await atMost(LAST_WORDS, said.over);
    const answer = { ...said.text(), exit: said.tooMuch() ? undefined : exit };
    return child.pid === undefined ? { ...answer, missing: true } : answer;
  } finally {
    if (group) send(child, group, "SIGKILL");
    for (const stream of child.stdio) stream?.destroy();
    guard?.dismiss();
  }
}

function start(command: string, args: readonly string[], { env, input }: RunOptions): ChildProcess {
  const own = input !== undefined;
  const child = execa(command, args, {
    stdin: own ? "pipe" : "ignore",
    // What it says there may hold a value, and nobody is shown it.
    stderr: own ? "ignore" : "pipe",
    detached: own && process.platform !== "win32",
    reject: false,
    buffer: false,
    // With NODE_DEBUG=execa it would print commands, environments and answers (execa's docs/debugging.md).
    verbose: "none",
    ...(env === undefined ? {} : { env, extendEnv: false }),
  });
  // It is both; what is waited for here is the process alone.
  void child.catch(() => {});
  return child;
}

async function feed(child: ChildProcess, { input, started }: RunOptions): Promise<void> {
  if (child.pid !== undefined) await started?.(child.pid);
  // It may end without having read it all.
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
}

/** Its exit code; undefined where a signal ended it, or nothing did in time. */
function endOf(child: ChildProcess, group: boolean, timeout: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const timers = [
      setTimeout(() => send(child, group, "SIGTERM"), timeout),
      setTimeout(() => send(child, group, "SIGKILL"), timeout + GRACE),
      setTimeout(() => over(undefined), timeout + 2 * GRACE),
    ];
    const over = (exit: number | undefined) => {
      for (const timer of timers) clearTimeout(timer);
      resolve(exit);
    };
    child.once("error", () => over(undefined));
    child.once("exit", (code) => over(code ?? undefined));
    if (child.pid === undefined) over(undefined);
  });
}

function listen(child: ChildProcess, enough: () => void) {
  const heard = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let size = 0;
  const over = (["stdout", "stderr"] as const).map((name) => {
    const stream = child[name];
    if (stream === null) return Promise.resolve();
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MOST_BYTES) enough();
      else heard[name].push(chunk);
    });
    return new Promise<void>((resolve) => {
      stream.once("close", resolve);
      stream.once("error", () => resolve());
    });
  });
  const textOf = (name: "stdout" | "stderr") =>
    Buffer.concat(heard[name])
      .toString()
      .replace(/\r?\n$/, "");
  return {
    over: Promise.all(over),
    tooMuch: () => size > MOST_BYTES,
    text: () => ({ stdout: textOf("stdout"), stderr: textOf("stderr") }),
  };
}

/** To its whole group, where it leads one; done already is fine. */
function send(child: ChildProcess, group: boolean, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  if (!group || process.platform === "win32") return void child.kill(signal);
  createProcesses().signal(-child.pid, signal);
}

/** In case we are killed; a shell that is told what to end, and waits for the end of its stdin. */
function guardOf(pid: number) {
  const watcher = createProcesses().watch(GUARD);
  watcher.guard(process.platform === "win32" ? pid : -pid);
  return watcher;
}

const GUARD = `
trap '' HUP INT QUIT TERM PIPE
read -r target || exit 0
while read -r _; do :; done
kill -s TERM -- "$target" 2>/dev/null || exit 0
sleep ${GRACE / 1000}
kill -s KILL -- "$target" 2>/dev/null
exit 0
`;

async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, milliseconds)))]);
  clearTimeout(timer);
}
