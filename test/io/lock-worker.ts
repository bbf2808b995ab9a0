import { randomBytes } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../../src/io/locks.ts";

/**
 * Started by locks.test.ts: under a lock, counts the lines of FILE and appends that number as one more, TIMES times.
 * The append is one system call, so that a kill leaves all or nothing of it; two holders at once would write the same
 * number twice.
 */
const [file = "", times = "", pause = ""] = process.argv.slice(2);
const random = () => randomBytes(12).toString("hex");

async function main(): Promise<void> {
  for (let done = 0; done < Number(times); done += 1) {
    await withLock(
      `${file}.lock`,
      async () => {
        const lines = readFileSync(file, "utf8").split("\n").length - 1;
        await sleep(Number(pause));
        appendFileSync(file, `${lines}\n`);
      },
      { pid: process.pid, now: Date.now, random, patience: 100_000 },
    );
  }
}

void main();
