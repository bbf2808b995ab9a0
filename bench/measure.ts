import { type ChildProcess, spawn } from "node:child_process";

/** A program to time. */
export interface Timed {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Done before each start, and not timed. */
  readonly before?: () => void;
}

/** Wall-clock milliseconds. */
export interface Times {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * Each program `rounds` times, one by one and in random order within a round, after two rounds that do not count: what
 * else the machine does falls on all of them alike, and ratios can be trusted where milliseconds cannot.
 */
export async function interleaved(programs: readonly Timed[], rounds: number): Promise<ReadonlyMap<string, Times>> {
  const taken = new Map(programs.map(({ name }) => [name, [] as number[]]));
  for (let round = -2; round < rounds; round += 1) {
    for (const program of shuffled(programs)) {
      const time = await once(program);
      if (round >= 0) taken.get(program.name)?.push(time);
    }
  }
  return new Map([...taken].map(([name, times]) => [name, timesOf(times)]));
}

/** Milliseconds from before the spawn to after the exit of `count` of them at once. */
export async function together(program: Timed, count: number): Promise<number> {
  program.before?.();
  const began = performance.now();
  await Promise.all(Array.from({ length: count }, () => finished(started(program), program)));
  return performance.now() - began;
}

export function once(program: Timed): Promise<number> {
  return together(program, 1);
}

export function timesOf(times: readonly number[]): Times {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { median: at(0.5), min: at(0), max: at(1) };
}

function started({ command, args, env, cwd }: Timed): ChildProcess {
  return spawn(command, args, { env, cwd, stdio: ["ignore", "ignore", "pipe"] });
}

function finished(child: ChildProcess, { name }: Timed): Promise<void> {
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (code) => (code === 0 ? done() : fail(new Error(`${name} ended with ${code}: ${said}`))));
  });
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: Math.random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item);
}
