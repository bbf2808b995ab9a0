import { setTimeout as sleep } from "node:timers/promises";
import { realTerminal } from "../../src/io/terminal.ts";

/** Asks two questions, the second one after a while, and prints the answers. */
async function ask(): Promise<void> {
  const { ask: question, askHidden, out } = realTerminal();
  const first = await question("one? ");
  await sleep(300);
  const second = await askHidden("two? ");
  out(`${JSON.stringify([first, second])}\n`);
}

void ask();
