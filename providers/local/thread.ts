import { parentPort } from "node:worker_threads";
import { isTask, perform } from "./task.ts";

/** A thread that seals and opens files of secrets: a chunk of its own, dist/thread.cjs. */

parentPort?.on("message", (message: unknown) => {
  if (!isTask(message)) throw new TypeError("no task");
  parentPort?.postMessage(perform(message));
});
