import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Thread } from "../core/threads.ts";

/** Each takes about 10 MB and 40 ms to start; more than four wait for the disk. */
const MOST = 4;

/** One thread a processor, each running `file`; none with one processor, or where the program is not built. */
export function startThreads(file: string, processors = availableParallelism()): readonly Thread[] {
  if (processors < 2 || !existsSync(file)) return [];
  return Array.from({ length: Math.min(MOST, processors) }, () => startThread(file));
}

interface Question {
  readonly answer: (message: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** A thread answers in the order in which it was asked. */
function startThread(file: string): Thread {
  // Nothing of our environment: NODE_OPTIONS would be read once more, and no thread needs any of it.
  const worker = new Worker(file, { env: {}, execArgv: [] });
  let open: Question[] = [];
  let failure: Error | undefined;

  const end = (error: Error) => {
    failure ??= error;
    const asked = open;
    open = [];
    for (const { fail } of asked) fail(failure);
  };
  worker.unref();
  worker.on("error", end);
  worker.on("exit", () => end(new Error("the thread has ended")));
  worker.on("message", (message: unknown) => {
    open.shift()?.answer(message);
    if (open.length === 0) worker.unref();
  });

  return {
    ask: (message) =>
      new Promise((answer, fail) => {
        if (failure !== undefined) return fail(failure);
        worker.postMessage(message);
        worker.ref();
        open.push({ answer, fail });
      }),
  };
}
