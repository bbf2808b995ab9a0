import { execa } from "execa";

/** How a program ended that was run for its answer. */
export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  /** undefined where it could not be started, was killed or took too long. */
  readonly exit: number | undefined;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds. */
  readonly timeout: number;
  /** For its stdin; it has none where this is absent. */
  readonly input?: string;
}

/** Runs a program without a shell, and returns what it said. Never throws for how it ended. */
export async function runProgram(command: string, args: readonly string[], options: RunOptions): Promise<Answer> {
  const { stdout, stderr, exitCode } = await execa(command, args, {
    ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
    reject: false,
    timeout: options.timeout,
    maxBuffer: 4 * 1024 * 1024,
    // With NODE_DEBUG=execa it would print commands, environments and answers (execa's docs/debugging.md).
    verbose: "none",
    ...(options.env === undefined ? {} : { env: options.env, extendEnv: false }),
  });
  return { stdout, stderr, exit: exitCode };
}
