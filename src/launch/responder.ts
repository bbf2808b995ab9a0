/**
 * What a client hears in its own protocol when its server could not be started: clients show the message of a JSON-RPC
 * error where they show neither an exit code nor stderr.
 */

/** JSON-RPC 2.0 section 5.1 reserves -32768 to -32000. */
export const LAUNCH_FAILED = -31_078;
/** A line that is longer is no request that anybody waits for; of an endless one no more than this is kept. */
const LONGEST_LINE = 4 * 1024 * 1024;

/** Takes what a client sends in pieces and returns the answers, one line each. */
export class Responder {
  readonly #message: string;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(message: string) {
    this.#message = message;
  }

  /** The answers to the requests that `chunk` completes; empty where there are none. */
  receive(chunk: Buffer): string {
    let answers = "";
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end));
      answers += this.#answerLine();
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return answers;
  }

  /** The answer to a last line without an end. */
  finish(): string {
    return this.#answerLine();
  }

  #keep(part: Buffer): void {
    this.#length += part.length;
    if (this.#length > LONGEST_LINE) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  #answerLine(): string {
    const line = Buffer.concat(this.#parts).toString();
    this.#parts = [];
    this.#length = 0;
    const answer = answerTo(parse(line), this.#message);
    return answer === undefined ? "" : `${JSON.stringify(answer)}\n`;
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** An answer to each request; notifications and responses get none (JSON-RPC 2.0 sections 4.1 and 6). */
function answerTo(message: unknown, text: string): object | undefined {
  if (Array.isArray(message)) {
    // A batch inside a batch is no JSON-RPC, and could be a hundred thousand deep.
    const single = message.filter((one: unknown) => !Array.isArray(one));
    const answers = single.map((one: unknown) => answerTo(one, text)).filter((answer) => answer !== undefined);
    return answers.length === 0 ? undefined : answers;
  }
  if (typeof message !== "object" || message === null) return undefined;
  if (!("id" in message) || !("method" in message) || typeof message.method !== "string") return undefined;
  const { id } = message;
  if (typeof id !== "string" && typeof id !== "number") return undefined;
  return { jsonrpc: "2.0", id, error: { code: LAUNCH_FAILED, message: text } };
}
