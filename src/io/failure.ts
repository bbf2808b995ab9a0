import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { systemCode } from "../errors.ts";

/** Takes what a client sends and gives back what it is to hear. */
interface Answering {
  receive(chunk: Buffer): string;
  finish(): string;
}

/** How long a client is answered that does not close our stdin, in milliseconds. */
const LONGEST = 60_000;

/** Answers the client on stdin until it closes it or a minute has passed. At a terminal nobody speaks the protocol. */
export function answerUntilEnd(responder: Answering): Promise<void> {
  if (isatty(0)) return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, LONGEST);
    process.stdin.on("data", (chunk: Buffer) => say(responder.receive(chunk)));
    process.stdin.on("error", () => resolve());
    process.stdin.on("close", () => resolve());
    process.stdin.on("end", () => {
      say(responder.finish());
      resolve();
    });
  });
}

function say(text: string): void {
  const data = Buffer.from(text);
  for (let done = 0; done < data.length;) {
    try {
      done += writeSync(1, data, done);
    } catch (error) {
      // A client that does not listen any more is not waited for.
      if (systemCode(error) !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
