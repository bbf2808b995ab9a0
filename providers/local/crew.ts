import type { Thread, Threads } from "../../src/core/threads.ts";
import { encrypt } from "./age/age.ts";
import type { Identity, Recipient } from "./age/keys.ts";
import { type Opened, type Task, isOutcome, openFile, pack, perform, resultsOf } from "./task.ts";

/** Who seals and opens the files of secrets. */
export interface Crew {
  seal(texts: readonly Buffer[], recipients: readonly Recipient[]): Promise<readonly Buffer[]>;
  open(files: readonly Buffer[], identities: readonly Identity[]): Promise<readonly Opened[]>;
}

/** From so many secrets on threads are worth their start: a secret takes 0.15 to 0.3 ms, a thread 40. */
const MANY = 200;

/** For a work of `count` secrets: a few are done on the spot, many by as many threads as there are processors. */
export async function crewFor(count: number, threads: Threads | undefined): Promise<Crew> {
  const helpers = count < MANY ? [] : ((await threads?.()) ?? []);
  return helpers.length === 0 ? alone : together(helpers);
}

const alone: Crew = {
  seal: async (texts, recipients) => texts.map((text) => encrypt(text, recipients)),
  open: async (files, identities) => files.map((file) => openFile(file, identities)),
};

function together(threads: readonly Thread[]): Crew {
  let turn = 0;
  const ask = async (task: Task): Promise<readonly Opened[]> => {
    turn += 1;
    const outcome = await threads[turn % threads.length]?.ask(task).catch(() => undefined);
    // What no thread has done is still to be done.
    return resultsOf(isOutcome(outcome) ? outcome : perform(task));
  };
  return {
    async seal(texts, recipients) {
      const sealed = await ask({ work: "seal", texts: pack(texts), recipients });
      // Nothing of a text can fail; a file less than there are texts is noticed by whoever writes it.
      return sealed.filter((file) => Buffer.isBuffer(file));
    },
    open: async (files, identities) => ask({ work: "open", files: pack(files), identities }),
  };
}
