import type { Fields } from "../../core/provider.ts";
import { formatRef, isSegment } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import { readSettingsAt } from "../../core/settings-reader.ts";
import type { UserError } from "../../errors.ts";
import type { Converse, MintTarget, RotationRequest, TargetOptions, Verdict } from "../target.ts";
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

function readCommand({ ref, settings: given }: TargetOptions): CommandSettings {
  return readSettingsAt(`rotation.${formatRef(ref)}`, given, (settings) => {
    const [program = "", ...args] = settings.texts("command", (text) => !text.includes("\0"));
    if (!program.startsWith("/") && !/^[A-Za-z]:[\\/]/.test(program))
      settings.fail("command", "must begin with an absolute path");
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
  const { exit, answer } = await ask(program, "create", request, undefined);
  if (exit === TRY_LATER) throw unreachable(ref, whyOf(answer, request, "the program says to try later"));
  if (exit === NOT_ALLOWED) throw notAllowed(program, request, answer);
  // Whatever else it did, it may have made something.
  const fields = exit === 0 ? fieldsIn(answer) : undefined;
  if (fields !== undefined) return fields;
  throw lost(
    ref,
    exit === 0 ? "the program's answer to create is not one line of JSON with fields" : endOf(program, exit),
  );
}

async function test(program: Program, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const { exit, answer } = await ask(program, "test", request, fields);
  const verdict = exit === 0 ? verdictIn(answer, request) : undefined;
  if (verdict !== undefined) return verdict;
  if (exit === TRY_LATER)
    return { type: "unreachable", reason: whyOf(answer, request, "the program says to try later") };
  const reason =
    exit === 0 ? "the program's answer to test is not one line of JSON with a verdict" : endOf(program, exit);
  return { type: "unreachable", reason };
}

/** Without `fields`: what a `create` of this id made, and whose answer nobody got. */
async function retire(program: Program, request: RotationRequest, fields: Fields | undefined): Promise<void> {
  const { exit, answer } = await ask(program, "retire", request, fields);
  if (exit === 0) return;
  if (exit === NOT_ALLOWED) throw notAllowed(program, request, answer);
  throw unreachable(request.ref, whyOf(answer, request, endOf(program, exit)));
}

interface Told {
  readonly exit: number | undefined;
  /** The one line that it said, as parsed; undefined for anything else. */
  readonly answer: Readonly<Record<string, unknown>> | undefined;
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
  const { stdout, exit } = await converse(settings.program, [...settings.args, action], {
    input: `${JSON.stringify(told)}\n`,
    timeout: Math.max(1, Math.min(settings.timeout, deadline - options.now())),
    env: settings.env,
    ...(started && { started }),
  });
  return { exit, answer: parseLine(stdout) };
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

function verdictIn(answer: Told["answer"], request: RotationRequest): Verdict | undefined {
  const missing = answer?.["missing"];
  switch (answer?.["verdict"]) {
    case "valid":
      return { type: "valid" };
    case "rejected":
      return { type: "rejected" };
    case "lacking":
      return {
        type: "lacking",
        missing: Array.isArray(missing) ? missing.map((each) => shown(String(each), request)) : [],
      };
    case "unreachable":
      return { type: "unreachable", reason: whyOf(answer, request, "the program cannot reach the system") };
    default:
      return undefined;
  }
}

function notAllowed({ settings }: Program, request: RotationRequest, answer: Told["answer"]): UserError {
  const why = whyOf(answer, request, "the program says that it is not allowed to");
  return refused(request.ref, why, `look at what ${settings.program} needs`);
}

function endOf({ settings }: Program, exit: number | undefined): string {
  return exit === undefined
    ? `${settings.program} was killed, or took too long`
    : `${settings.program} ended with ${exit}`;
}

function whyOf(answer: Told["answer"], request: RotationRequest, otherwise: string): string {
  const reason = answer?.["reason"];
  return typeof reason === "string" && reason !== "" ? shown(reason, request) : otherwise;
}

/** One short line of the program's, where it holds none of the values that we gave it. */
function shown(text: string, { current, previous }: RotationRequest): string {
  const values = [...Object.values(current), ...Object.values(previous ?? {})].map((value) => value.expose());
  if (values.some((value) => value.length > 3 && text.includes(value))) return "what the program says holds a value";
  return text.replaceAll(/\p{C}+/gu, " ").slice(0, 200);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
