/**
 * Sessions: `test/scripts/*.txtar` read like a shell and start the built program in a fresh home with the environment
 * that a GUI client gives (HOME LOGNAME PATH SHELL TERM USER, and a TMPDIR of its own). A file holds one line a step,
 * then files as `-- NAME --` and their text, which are put in the working folder first.
 *
 * Words are split at spaces; '…' is literal, "…" and bare words have `$NAME` put in ($HOME, $WORK, $TMPDIR, `env` and
 * `keep` may add more). `#` starts a comment line. `!` before a step turns it round.
 *
 *   mcp-secrets ARG…        the built program; must end with 0, after `!` with anything else
 *   start FILE SERVER       an entry of a config, started as a client starts it
 *   node FILE ARG…          a script of the session
 *   stdin FILE              what the next command reads; nothing otherwise
 *   tty PROMPT ANSWER       the next command has a terminal; when PROMPT (a regex) is shown, ANSWER and Enter are typed
 *   env NAME=VALUE          for all that follows
 *   exit N                  the last exit code
 *   stdout REGEX · stderr REGEX       what the last command wrote (with `tty`, all is stdout)
 *   cp FROM TO · mkdir DIR · rm FILE · chmod MODE FILE · ln TARGET LINK
 *   cmp A B · exists FILE… · mode FILE 0600
 *   keep FILE… · kept FILE…           remembers bytes, mtime and inode of files and folders; they are as they were
 *   grep REGEX FILE
 *   json FILE POINTER [VALUE]         the value at an RFC 6901 pointer, or ~REGEX; FILE may be `stdout` or `stderr`
 *   canary WORD FILE…       WORD stands in no form in HOME, TMPDIR or the files; FILE may be `output`: all so far
 */
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { parse as parseJsonc } from "jsonc-parser";
import { filesUnder, findCanaries } from "./helpers/canary.ts";
import { type Ended, type Home, LAUNCHER, ended, execute, has, makeHome } from "./helpers/cli.ts";

interface Step {
  readonly line: number;
  readonly not: boolean;
  readonly verb: string;
  readonly words: readonly string[];
}

export interface Script {
  readonly steps: readonly { readonly line: number; readonly text: string }[];
  readonly files: ReadonlyMap<string, string>;
}

/** The steps and files of a txtar text. */
export function parseScript(text: string): Script {
  const parts = text.split(/^-- (.+) --\n/m);
  const files = new Map<string, string>();
  for (let index = 1; index < parts.length; index += 2) files.set(parts[index] ?? "", parts[index + 1] ?? "");
  const lines = (parts[0] ?? "").split("\n").map((line, index) => ({ line: index + 1, text: line.trim() }));
  return { steps: lines.filter((step) => step.text !== "" && !step.text.startsWith("#")), files };
}

/** The words of a step; `expand` gives the value of a `$NAME` outside single quotes. */
export function splitWords(text: string, expand: (name: string) => string): string[] {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)) {
    const parts = word.matchAll(/'([^']*)'|"([^"]*)"|([^'"]+)/g);
    words.push([...parts].map(([, literal, quoted, bare]) => literal ?? fill(quoted ?? bare ?? "")).join(""));
  }
  return words;

  function fill(part: string): string {
    return part.replaceAll(/\$(\w+)/g, (_, name: string) => expand(name));
  }
}

/** Plays a session; throws, with the number of the line, at the first step that is not as it says. */
export async function play(script: Script): Promise<void> {
  using home = makeHome();
  const session = new Session(home);
  for (const [name, text] of script.files) session.write(name, text);
  for (const { line, text } of script.steps) {
    const [first = "", ...rest] = splitWords(
      text,
      (name) => session.env[name] ?? assert.fail(`line ${line}: no $${name}`),
    );
    const not = first === "!";
    const [verb = "", ...words] = not ? rest : [first, ...rest];
    try {
      await session.step({ line, not, verb, words });
    } catch (error) {
      const shown = `stdout: ${session.last.stdout}\nstderr: ${session.last.stderr}`;
      throw new Error(`line ${line}: ${text}\n${error instanceof Error ? error.message : ""}\n${shown}`, {
        cause: error,
      });
    }
  }
}

class Session {
  readonly env: Record<string, string>;
  last: Ended = { code: 0, signal: null, stdout: "", stderr: "" };
  readonly #home: Home;
  #input: Buffer | undefined;
  #typed: { readonly prompt: RegExp; readonly answer: string }[] = [];
  #output = "";
  readonly #kept = new Map<string, string>();

  constructor(home: Home) {
    this.#home = home;
    this.env = { ...home.env, WORK: home.work };
  }

  write(name: string, text: string): void {
    const path = this.#path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  async step({ verb, words, not }: Step): Promise<void> {
    const command = this.#command(verb, words);
    if (command !== undefined) {
      await this.#run(command);
      return assert.equal(this.last.code !== 0, not, `ended with ${this.last.code ?? this.last.signal}`);
    }
    const holds = this.#holds(verb, words);
    if (holds === undefined) return this.#act(verb, words);
    return assert.equal(holds, !not, "is not so");
  }

  #command(
    verb: string,
    words: readonly string[],
  ): { command: string; args: readonly string[]; env?: object } | undefined {
    if (verb === "mcp-secrets") return { command: process.execPath, args: [LAUNCHER, ...words] };
    if (verb === "node") return { command: process.execPath, args: words };
    if (verb !== "start") return undefined;
    const [file = "", server = ""] = words;
    const entry = this.#json(file).mcpServers[server];
    return { command: entry.command, args: entry.args ?? [], env: entry.env ?? {} };
  }

  async #run({ command, args, env }: { command: string; args: readonly string[]; env?: object }): Promise<void> {
    const { WORK: _, ...rest } = this.env;
    const start = { cwd: this.#home.work, env: { ...rest, ...env } };
    this.last =
      this.#typed.length > 0
        ? await onTerminal([command, ...args], start, this.#typed)
        : await execute(command, args, { ...start, input: this.#input ?? "" });
    this.#output += this.last.stdout + this.last.stderr;
    this.#input = undefined;
    this.#typed = [];
  }

  /** Whether what a checking step says is so; undefined for a step that does something. */
  #holds(verb: string, words: readonly string[]): boolean | undefined {
    const [a = "", b = "", c] = words;
    switch (verb) {
      case "exit":
        return this.last.code === Number(a);
      case "stdout":
      case "stderr":
        return new RegExp(a, "m").test(this.last[verb]);
      case "cmp":
        return this.#bytes(a).equals(this.#bytes(b));
      case "exists":
        return words.every((word) => existsSync(this.#path(word)));
      case "mode":
        return (lstatSync(this.#path(a)).mode & 0o7777) === Number.parseInt(b, 8);
      case "kept":
        return words.every((word) => this.#kept.get(word) === this.#state(word));
      case "grep":
        return new RegExp(a, "m").test(this.#bytes(b).toString());
      case "json":
        return matches(at(this.#json(a), b), c);
      case "canary":
        return this.#isHidden(a, words.slice(1));
      default:
        return undefined;
    }
  }

  #act(verb: string, words: readonly string[]): void {
    const [a = "", b = ""] = words;
    switch (verb) {
      case "stdin":
        this.#input = this.#bytes(a);
        break;
      case "tty":
        this.#typed.push({ prompt: new RegExp(a), answer: b });
        break;
      case "env":
        this.env[a.slice(0, a.indexOf("="))] = a.slice(a.indexOf("=") + 1);
        break;
      case "cp":
        copyFileSync(this.#path(a), this.#path(b));
        break;
      case "mkdir":
        mkdirSync(this.#path(a), { recursive: true });
        break;
      case "rm":
        rmSync(this.#path(a), { recursive: true });
        break;
      case "chmod":
        chmodSync(this.#path(b), Number.parseInt(a, 8));
        break;
      case "ln":
        symlinkSync(a, this.#path(b));
        break;
      case "keep":
        for (const word of words) this.#kept.set(word, this.#state(word));
        break;
      default:
        assert.fail(`no such step: ${verb}`);
    }
  }

  #path(name: string): string {
    return resolve(this.#home.work, name);
  }

  #bytes(name: string): Buffer {
    if (name === "stdout" || name === "stderr") return Buffer.from(this.last[name]);
    return readFileSync(this.#path(name));
  }

  #json(name: string) {
    return parseJsonc(
      this.#bytes(name)
        .toString()
        .replace(/^\uFEFF/, ""),
      [],
      { allowTrailingComma: true },
    );
  }

  /** Everything at or under a path that a write would change. */
  #state(name: string): string {
    const files = filesUnder(this.#path(name)).map((file) => {
      const { ino, mtimeNs, mode } = lstatSync(file, { bigint: true });
      return `${file} ${ino} ${mtimeNs} ${mode} ${readFileSync(file).toString("base64")}`;
    });
    return files.join("\n");
  }

  #isHidden(word: string, names: readonly string[]): boolean {
    const files = names.filter((name) => name !== "output").map((name) => this.#path(name));
    const found = findCanaries([this.#home.home, this.#home.tmp, ...files], [word]);
    if (names.includes("output") && this.#output.includes(word)) found.push("the output");
    assert.deepEqual(found, []);
    return true;
  }
}

/** Runs a command under util-linux's `script`, which gives it a controlling terminal. */
async function onTerminal(
  words: readonly string[],
  start: { cwd: string; env: NodeJS.ProcessEnv },
  typed: readonly { readonly prompt: RegExp; readonly answer: string }[],
): Promise<Ended> {
  assert.ok(has("script"), "needs `script` of util-linux");
  const line = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const child = spawn("script", ["-qefc", line, "/dev/null"], start);
  let seen = "";
  let next = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
    const { prompt, answer } = typed[next] ?? {};
    if (prompt === undefined || !prompt.test(seen)) return;
    seen = "";
    next += 1;
    child.stdin.write(`${answer}\r`);
  });
  const result = await ended(child);
  assert.equal(next, typed.length, `a prompt was not shown: ${String(typed[next]?.prompt)}`);
  return result;
}

/** The value at an RFC 6901 pointer, undefined where there is none. */
function at(value: unknown, pointer: string): unknown {
  const names = pointer.split("/").slice(1);
  return names.reduce<unknown>((inner, name) => {
    const key = name.replaceAll("~1", "/").replaceAll("~0", "~");
    return typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>)[key] : undefined;
  }, value);
}

function matches(value: unknown, wanted: string | undefined): boolean {
  if (wanted === undefined) return value !== undefined;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return wanted.startsWith("~") ? new RegExp(wanted.slice(1)).test(text) : text === wanted;
}
