/**
 * What a client hears in its own protocol when its server could not be started: clients show the message of a JSON-RPC
 * error where they show neither an exit code nor stderr.
 */

/** JSON-RPC 2.0 section 5.1 reserves -32768 to -32000. */
export const LAUNCH_FAILED = -31_078;
/** A line that is longer is no request that anybody waits for; of an endless one no more than this is kept. */
const LONGEST_LINE = 16 * 1024 * 1024;
/** Strings and numbers of a JSON text; a string first, so that what looks like a number inside is none. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

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
    const line = Buffer.concat(this.#parts)
      .toString()
      .replace(/^\u{FEFF}/u, "");
    this.#parts = [];
    this.#length = 0;
    const message = parse(line);
    const answer = message === undefined ? undefined : answerTo(message, parse(spelled(line)), this.#message);
    return answer === undefined ? "" : `${answer}\n`;
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

/** The same JSON with every number as a string, for JavaScript rounds what is beyond 2^53 and forgets how it was spelled. */
function spelled(line: string): string {
  return line.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`));
}

/**
 * The JSON of an answer to each request; notifications and responses get none (JSON-RPC 2.0 sections 4.1 and 6), nor
 * does an id that MCP does not allow (null, objects). `exact` is the message with its numbers as strings.
 */
function answerTo(message: unknown, exact: unknown, text: string): string | undefined {
  if (Array.isArray(message)) {
    const spellings: readonly unknown[] = Array.isArray(exact) ? exact : [];
    const answers = message.flatMap((one: unknown, index) => {
      // A batch inside a batch is no JSON-RPC, and could be a hundred thousand deep.
      return Array.isArray(one) ? [] : (answerTo(one, spellings[index], text) ?? []);
    });
    return answers.length === 0 ? undefined : `[${answers.join(",")}]`;
  }
  const method = memberOf(message, "method");
  const id = memberOf(message, "id");
  if (typeof method !== "string" || (typeof id !== "string" && typeof id !== "number")) return undefined;
  const spelling = typeof id === "string" ? JSON.stringify(id) : String(memberOf(exact, "id"));
  return `{"jsonrpc":"2.0","id":${spelling},"error":${JSON.stringify({ code: LAUNCH_FAILED, message: text })}}`;
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}
