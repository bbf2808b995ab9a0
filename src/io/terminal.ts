import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { ReadStream, isatty } from "node:tty";
import { UserError, systemCode } from "../errors.ts";

/** The user's side of a command: text out, questions in. */
export interface Terminal {
  /** Writes to stdout; nothing where its reader is gone. @throws UserError cannot-write where the system refuses */
  out(text: string): void;
  /** Writes to stderr, where that is possible. */
  err(text: string): void;
  readonly outIsTty: boolean;
  readonly errIsTty: boolean;
  readonly inIsTty: boolean;
  /** Columns of stderr's terminal; 80 where there is none. */
  readonly columns: number;
  /** All of stdin, as bytes. */
  readInput(): Buffer;
  /** Asks on the terminal and returns the line; undefined at its end. */
  ask(question: string): Promise<string | undefined>;
  /** As `ask`, without echo. */
  askHidden(question: string): Promise<string | undefined>;
}

export function realTerminal(): Terminal {
  return {
    out: writeOut,
    err: writeErr,
    outIsTty: isatty(1),
    errIsTty: isatty(2),
    inIsTty: isatty(0),
    columns: isatty(2) ? process.stderr.columns : 80,
    readInput,
    ask: (question) => readLine(question, false),
    askHidden: (question) => readLine(question, true),
  };
}

function writeOut(text: string): void {
  try {
    writeFully(1, text);
  } catch (error) {
    throw new UserError("cannot-write", `cannot write to stdout: ${systemCode(error) ?? "unknown error"}`, {
      hint: "make room where the output goes, or send it elsewhere",
      cause: error,
    });
  }
}

/** An error that cannot be told still ends in its exit code. */
function writeErr(text: string): void {
  try {
    writeFully(2, text);
  } catch {
    // Nobody listens.
  }
}

/** A pipe of ours may be non-blocking at its other end: a full one is tried again. A closed one ends the output. */
function writeFully(fd: number, text: string): void {
  const data = Buffer.from(text);
  for (let done = 0; done < data.length;) {
    try {
      done += writeSync(fd, data, done);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EPIPE") return;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function readInput(): Buffer {
  const chunks: Buffer[] = [];
  const chunk = Buffer.alloc(65536);
  for (;;) {
    const length = readChunk(chunk);
    if (length === 0) return Buffer.concat(chunks);
    chunks.push(Buffer.from(chunk.subarray(0, length)));
  }
}

function readChunk(chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(0, chunk, 0, chunk.length, null);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** What was typed behind the end of a line: the next answer begins with it. */
let typedAhead = "";

/**
 * Reads a line from the controlling terminal, in raw mode, so that nothing is echoed that should not be.
 * Control-C ends the process as it would have at the prompt of a shell.
 */
function readLine(question: string, hidden: boolean): Promise<string | undefined> {
  const fd = openSync(process.platform === "win32" ? "\\\\.\\CONIN$" : "/dev/tty", "r+");
  const input = new ReadStream(fd);
  return new Promise((resolve) => {
    let line = "";
    let isDone = false;
    const finish = (answer: string | undefined) => {
      isDone = true;
      input.setRawMode(false);
      input.destroy();
      writeFully(2, "\n");
      resolve(answer);
    };
    input.setRawMode(true);
    input.setEncoding("utf8");
    // Not before the echo is off: a paste comes as fast as the question is seen.
    writeFully(2, question);
    const take = (character: string) => {
      if (character === "\r" || character === "\n") return finish(line);
      if (character === "\u0003") {
        finish(undefined);
        process.kill(process.pid, "SIGINT");
        return undefined;
      }
      if (character === "\u0004") return finish(line === "" ? undefined : line);
      const erase = character === "\u007f" || character === "\b";
      line = erase ? [...line].slice(0, -1).join("") : line + character;
      if (!hidden) writeFully(2, erase ? "\b \b" : character);
      return undefined;
    };
    const takeAll = (typed: string) => {
      // A line that is pasted ends in two characters.
      const characters = [...(typedAhead + typed).replaceAll("\r\n", "\r")];
      while (!isDone && characters.length > 0) take(characters.shift() ?? "");
      typedAhead = characters.join("");
    };
    input.on("data", takeAll);
    input.on("close", () => closeQuietly(fd));
    takeAll("");
  });
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The stream has closed it.
  }
}
