import type { ChildSpec, ProgramFile } from "../core/processes.ts";

/**
 * Replacing the launcher with its child, process.execve of Node >= 22.15. A call that fails ends the process in an
 * abort that nobody can catch (Node 22 and 24), so that whatever could make it fail is looked at before.
 */

/**
 * execve(2): all texts together get a quarter of the stack limit, at least 128 KiB; one gets 128 KiB. A launch with more
 * is started as a child.
 */
const MOST_BYTES = 120 * 1024;

/** What the system says of a path. */
export type Inspect = (path: string) => ProgramFile | undefined;

/** True where nothing is known that could make the call fail. */
export function canReplace(spec: ChildSpec, inspect: Inspect): boolean {
  if (!fits([spec.argv0, ...spec.args, spec.file, ...environmentTexts(spec)])) return false;
  const head = programHead(spec.file, inspect);
  if (head === undefined || isBinary(head)) return head !== undefined;
  const interpreter = interpreterOf(head);
  const interpreterHead = interpreter === undefined ? undefined : programHead(interpreter, inspect);
  return interpreterHead !== undefined && isBinary(interpreterHead);
}

/**
 * The same child behind env(1), which gives back the signals that Node ignores and execve(2) hands down as ignored.
 * `env` would take a path with `=` for a variable.
 */
export function resettingSignals(spec: ChildSpec, env: string): ChildSpec | undefined {
  if (spec.file.includes("=") || spec.file.startsWith("-")) return undefined;
  return { ...spec, file: env, argv0: "env", args: ["--default-signal=PIPE,XFSZ", spec.file, ...spec.args] };
}

function environmentTexts({ env }: ChildSpec): string[] {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`);
}

function programHead(path: string, inspect: Inspect): Buffer | undefined {
  const file = inspect(path);
  return file?.regular === true ? file.head : undefined;
}

/** ELF; Mach-O of 64 bits and universal binaries, as they lie in the file. */
function isBinary(head: Buffer): boolean {
  return ["7f454c46", "cffaedfe", "cafebabe"].includes(head.subarray(0, 4).toString("hex"));
}

/** The absolute path behind `#!`. */
function interpreterOf(head: Buffer): string | undefined {
  return /^#![ \t]*(\/[^\s\0]+)/.exec(head.toString("latin1"))?.[1];
}

/** Every text costs its bytes, a NUL and a pointer. */
function fits(texts: readonly string[]): boolean {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 9, 0) <= MOST_BYTES;
}
