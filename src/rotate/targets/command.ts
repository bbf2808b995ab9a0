import type { Fields } from "../../core/provider.ts";
import { formatRef, isSegment } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import { readSettingsAt } from "../../core/settings-reader.ts";
import type { UserError } from "../../errors.ts";
import type { Conversation, Converse, MintTarget, RotationRequest, TargetOptions, Verdict } from "../target.ts";
import { lost, refused, unreachable } from "./failure.ts";

/**
 * Any program of the user's as a target: started as `PROGRAM ARGUMENTS… create|test|retire`, told by one line of JSON
 * on stdin, and answering with one line of JSON on stdout. docs/rotation-command.md has the protocol. Values are in
 * neither its arguments nor its environment; what it says on stderr is not shown, for it may hold some.
 */
interface CommandSettings {
  readonly program: string;
  readonly args: readonly string[];
  readonly class: "O" | "X";
  /** Milliseconds for one call. */
  readonly timeout: number;
  readonly env: Readonly<Record<string, string>>;
  readonly reuseRevokes: boolean;
  readonly whenLost: string | undefined;
}

interface Program {
  readonly settings: CommandSettings;
  readonly options: TargetOptions;
  readonly converse: Converse;
}

type Action = "create" | "test" | "retire";

/** sysexits(3): EX_TEMPFAIL, nothing was done; EX_NOPERM. */
const TRY_LATER = 75;
const NOT_ALLOWED = 77;

/** @throws UserError config-invalid */
export function open(options: TargetOptions): MintTarget {
  const settings = readCommand(options);
  const { converse } = options;
  if (converse === undefined) throw new Error("a target that runs a program, and no way to run one");
  const program: Program = { settings, options, converse };
  return {
    class: settings.class,
    kind: "mint",
    callTime: settings.timeout,
    ...(settings.reuseRevokes && { reuseRevokes: true }),
    ...(settings.whenLost !== undefined && { whenLost: settings.whenLost }),
    mint: (request) => create(program, request),
    test: (fields, request) => test(program, fields, request),
    retire: (old, request) => retire(program, request, old),
    discard: (request) => retire(program, request, undefined),
  };
}

function readCommand({ ref, settings: given, probe }: TargetOptions): CommandSettings {
  return readSettingsAt(`rotation.${formatRef(ref)}`, given, (settings) => {
    const [program = "", ...args] = settings.texts("command", (text) => !text.includes("\0"));
    if (!program.startsWith("/") && !/^[A-Za-z]:[\\/]/.test(program))
      settings.fail("command", "must begin with an absolute path");
    // Before anything is written: a rotation that cannot be gone on with is not begun.
    const found = probe === undefined ? "program" : probe(program);
    if (found === undefined) settings.fail("command", `names a program that is not there: ${program}`);
    if (found === "other") settings.fail("command", `names what cannot be run: ${program}`);
    return {
      program,
      args,
      class: settings.choice("class", ["O", "X"]) ?? "O",
      timeout: (settings.number("timeout", 1, 600) ?? DEFAULT_TIMEOUT) * 1000,
      env: settings.strings("env") ?? {},
      reuseRevokes: settings.flag("reuseRevokes") ?? false,
      whenLost: settings.text("whenLost", (text) => /^[^\p{C}]{1,300}$/u.test(text)),
    };
  });
}

/** Seconds. */
const DEFAULT_TIMEOUT = 30;

async function create(program: Program, request: RotationRequest): Promise<Fields> {
  const { ref } = request;
  const told = await ask(program, "create", request, undefined);
  if (told.missing) throw unreachable(ref, endOf(program, told));
  if (told.exit === TRY_LATER) throw unreachable(ref, why(program, told));
  if (told.exit === NOT_ALLOWED) throw notAllowed(program, request, told);
  // Whatever else it did, it may have made something.
  const fields = told.exit === 0 ? fieldsIn(told.answer) : undefined;
  if (fields !== undefined) return fields;
  throw lost(
    ref,
    told.exit === 0 ? "the program's answer to create is not one line of JSON with fields" : why(program, told),
  );
}

async function test(program: Program, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const told = await ask(program, "test", request, fields);
  if (told.exit !== 0) return { type: "unreachable", reason: why(program, told) };
  return (
    verdictIn(told) ?? {
      type: "unreachable",
      reason: "the program's answer to test is not one line of JSON with a verdict",
    }
  );
}

/** Without `fields`: what a `create` of this id made, and whose answer nobody got. */
async function retire(program: Program, request: RotationRequest, fields: Fields | undefined): Promise<void> {
  const told = await ask(program, "retire", request, fields);
  if (told.exit === 0 && told.answer !== undefined) return;
  if (told.exit === 0) throw unreachable(request.ref, "the program's answer to retire is not one line of JSON");
  if (told.exit === NOT_ALLOWED) throw notAllowed(program, request, told);
  throw unreachable(request.ref, why(program, told));
}

interface Told extends Pick<Conversation, "exit" | "missing"> {
  /** The one line that it said, as parsed; undefined for anything else. */
  readonly answer: Readonly<Record<string, unknown>> | undefined;
  /** A line of its own words, where it holds no value; undefined where it said none. */
  readonly shown: (text: unknown) => string | undefined;
}

async function ask(
  program: Program,
  action: Action,
  request: RotationRequest,
  fields: Fields | undefined,
): Promise<Told> {
  const { settings, options, converse } = program;
  const { id, ref, current, previous, deadline, started } = request;
  const told = {
    v: 1,
    id,
    reference: formatRef(ref),
    current: exposed(current),
    ...(previous && { previous: exposed(previous) }),
    ...(fields && { fields: exposed(fields) }),
  };
  const { stdout, ...ended } = await converse(settings.program, [...settings.args, action], {
    input: `${JSON.stringify(told)}\n`,
    timeout: Math.max(1, Math.min(settings.timeout, deadline - options.now())),
    env: settings.env,
    ...(started && { started }),
  });
  const answer = parseLine(stdout);
  const values = [told.current, told.previous, told.fields, answer?.["fields"]].flatMap((each) => textsIn(each));
  return { ...ended, answer, shown: (text) => shown(text, values) };
}

function exposed(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.expose()]));
}

function parseLine(stdout: string): Told["answer"] {
  const line = stdout.replace(/\r?\n$/, "");
  if (line.includes("\n")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fieldsIn(answer: Told["answer"]): Fields | undefined {
  const fields = answer?.["fields"];
  if (!isObject(fields)) return undefined;
  const entries = Object.entries(fields);
  const isGood =
    entries.length > 0 &&
    entries.every(([name, value]) => isSegment(name) && typeof value === "string" && value !== "");
  return isGood ? Object.fromEntries(entries.map(([name, value]) => [name, new Secret(String(value))])) : undefined;
}

function verdictIn({ answer, shown: show }: Told): Verdict | undefined {
  const missing = answer?.["missing"];
  switch (answer?.["verdict"]) {
    case "valid":
      return { type: "valid" };
    case "rejected":
      return { type: "rejected" };
    case "lacking":
      return { type: "lacking", missing: Array.isArray(missing) ? missing.flatMap((each) => show(each) ?? []) : [] };
    case "unreachable":
      return { type: "unreachable", reason: show(answer["reason"]) ?? "the program cannot reach the system" };
    default:
      return undefined;
  }
}

function notAllowed({ settings }: Program, { ref }: RotationRequest, { answer, shown: show }: Told): UserError {
  const reason = show(answer?.["reason"]) ?? "the program says that it is not allowed to";
  return refused(ref, reason, `look at what ${settings.program} needs`);
}

/** In its own words, where it said any. */
function why(program: Program, told: Told): string {
  return told.shown(told.answer?.["reason"]) ?? endOf(program, told);
}

function endOf({ settings: { program } }: Program, { exit, missing }: Told): string {
  if (missing === true) return `${program} cannot be started`;
  if (exit === undefined) return `${program} was killed, or took too long`;
  return exit === TRY_LATER ? "the program says to try later" : `${program} ended with ${exit}`;
}

/** One short line of the program's, where it holds none of the values that it was given, or gave. */
function shown(text: unknown, values: readonly string[]): string | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  if (values.some((value) => holds(text, value))) return "what the program says holds a value";
  return text.replaceAll(/\p{C}+/gu, " ").slice(0, 200);
}

/** As it is, a line of it, or as programs write it into URLs and headers. */
function holds(text: string, value: string): boolean {
  const bytes = Buffer.from(value);
  const spelt = [encodeURIComponent(value), JSON.stringify(value).slice(1, -1), bytes.toString("base64url")];
  const forms = [value, ...value.split(/\r?\n/), ...spelt, bytes.toString("base64").replace(/=+$/, "")];
  return forms.some((form) => form.length >= SHORTEST && text.includes(form));
}

/** A shorter value is a word like any other. */
const SHORTEST = 4;

function textsIn(value: unknown): string[] {
  return isObject(value) ? Object.values(value).filter((each) => typeof each === "string") : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
