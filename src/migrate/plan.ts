import type { Edit, Entry } from "../clients/document.ts";
import { findRefs, refName, refsOrNone, SCHEME, type SecretRef } from "../core/ref.ts";
import type { Finding } from "../detect/finding.ts";
import { whyNoSecret } from "../launch/environment.ts";
import { takeFromArgv } from "./moved-argument.ts";
import { replaceIn } from "./replace.ts";
import { isStartable } from "./spelling.ts";
import { serverId } from "./names.ts";
import { type KnownSecret, Places, type PlannedSecret } from "./places.ts";
import { type EntryCommand, launcherWords, type Unwrapped, unwrap, wordsOf } from "./wrapper.ts";

/** A config as it was read, and what was found in it. */
export interface PlanInput {
  /** As the user named it. */
  readonly path: string;
  /** The client part of entry ids. */
  readonly client: string;
  /** True where the client expands `${NAME}` itself. */
  readonly interpolates: boolean;
  /** The ids that entries are to have, by pointer (ids.ts); where it says none, an entry's own or the one it has. */
  readonly ids?: ReadonlyMap<string, string>;
  readonly entries: readonly { readonly entry: Entry; readonly findings: readonly Finding[] }[];
}

export interface PlanOptions {
  readonly store: string;
  /** What the paths of new secrets begin with, where the store wants it. */
  readonly folder?: string | undefined;
  readonly launcher: EntryCommand;
}

/** What happens to a finding. `left` findings stay where they are, for the reason given. */
export interface PlannedFinding {
  readonly finding: Finding;
  readonly reference?: SecretRef;
  /** True where the value will stand in the arguments of the running server, for other users to see. */
  readonly argvVisible: boolean;
  /** The variable that carries the reference from now on, where it leaves the arguments. */
  readonly movedTo?: string;
  readonly left?: string;
}

/** A reference to a store that its secret leaves. `left` ones stay as they are, for the reason given. */
export interface PlannedMove {
  readonly server: string;
  readonly pointer: string;
  readonly start: number;
  readonly end: number;
  readonly from: SecretRef;
  readonly to?: SecretRef;
  readonly left?: string;
}

/** What an entry starts: the server's own words and its variables. */
export interface EntryWords {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What else decides what the client starts: migrate leaves it as it is. */
  readonly members: Readonly<Record<string, string>>;
}

/** What an approval is bound to: the entry as `run` will see it. */
export interface PlannedEntry extends EntryWords {
  readonly id: string;
  readonly server: string;
  readonly pointer: string;
  /** Of a copy, which gets an id of its own: the id that it had, which is another entry's. */
  readonly copyOf?: string;
  /** The references that take the place of values which stood in this very entry. */
  readonly made: readonly SecretRef[];
}

/**
 * The references of an entry that nobody put a value there for: whoever can edit a config can write the name of any
 * stored secret, so that the word of the user is needed for them. Each once, as `refName` writes it.
 */
export function namedRefs({ command, args, env, made }: PlannedEntry): readonly string[] {
  const known = new Set(made.map(refName));
  const held = [command, ...args, ...Object.values(env)].flatMap(findRefs).map(({ ref }) => refName(ref));
  return [...new Set(held)].filter((key) => !known.has(key));
}

export interface ConfigPlan {
  readonly path: string;
  readonly client: string;
  readonly findings: readonly PlannedFinding[];
  readonly entries: readonly PlannedEntry[];
  readonly edits: readonly Edit[];
  /** References that lead to another store than the one chosen; only where secrets are to move between stores. */
  readonly moves?: readonly PlannedMove[];
}

/** Plain data, made without touching anything: `--dry-run`, the confirmation and the write all use this one value. */
export interface Plan {
  readonly configs: readonly ConfigPlan[];
  readonly secrets: readonly PlannedSecret[];
}

/** What to store and what to write for `inputs`, given what the store holds. */
export function makePlan(inputs: readonly PlanInput[], known: readonly KnownSecret[], options: PlanOptions): Plan {
  const places = new Places(known, options);
  const configs = inputs.map((input) => planConfig(input, places, options.launcher));
  return planOf(configs, places.planned());
}

/** The plan for `configs`, with those of `secrets` that they name. */
export function planOf(configs: readonly ConfigPlan[], secrets: readonly PlannedSecret[]): Plan {
  const used = new Set(configs.flatMap(({ findings }) => findings.map(({ reference }) => reference)));
  return { configs, secrets: secrets.filter(({ ref }) => used.has(ref)) };
}

/** What the planning of one config goes by. */
interface Planning {
  readonly input: PlanInput;
  readonly places: Places;
  readonly launcher: EntryCommand;
}

function planConfig(input: PlanInput, places: Places, launcher: EntryCommand): ConfigPlan {
  const results = input.entries
    .filter(({ entry, findings }) => findings.length > 0 || needsLauncher(entry) || isCopy(entry, input))
    .map(({ entry, findings }) => planEntry(entry, findings, { input, places, launcher }));
  return {
    path: input.path,
    client: input.client,
    findings: results.flatMap(({ findings }) => findings),
    entries: results.flatMap(({ entry }) => entry ?? []),
    edits: results.flatMap(({ edits }) => edits),
  };
}

interface EntryResult {
  readonly findings: readonly PlannedFinding[];
  readonly entry?: PlannedEntry;
  readonly edits: readonly Edit[];
}

function planEntry(entry: Entry, found: readonly Finding[], planning: Planning): EntryResult {
  const left = whyLeft(entry, found);
  if (left === undefined) return moveEntry(entry, found, planning);
  return { findings: found.map((finding) => ({ finding, argvVisible: false, left })), edits: [] };
}

/** References that somebody wrote by hand: without the launcher the server would get their text. */
function needsLauncher(entry: Entry): boolean {
  if (entry.kind === "remote" || unwrap(entry) !== undefined) return false;
  return [...wordsOf(entry), ...entry.env].some(({ text }) => text.includes(SCHEME));
}

/** A copy of another entry starts under that one's id. */
function isCopy(entry: Entry, { ids }: PlanInput): boolean {
  const [id, own] = [unwrap(entry)?.id, ids?.get(entry.pointer)];
  return id !== undefined && own !== undefined && id !== own;
}

/** Why an entry has to stay as it is, whatever is found in it; undefined where it need not. */
export function whyLeft(entry: Entry, found: readonly Finding[]): string | undefined {
  if (entry.kind === "remote") return "a remote entry starts no process that could resolve a reference";
  if (entry.command === undefined || entry.command.text === "") return "the entry has no command";
  const pointers = new Set(found.map(({ pointer }) => pointer));
  const [command] = wordsOf(entry);
  // The launcher starts programs, and no lines of a shell.
  if (command !== undefined && pointers.has(command.pointer))
    return "the command is a line for a shell: split it into command and args first";
  const refused = entry.env.find(({ pointer, name }) => pointers.has(pointer) && whyNoSecret(name) !== undefined);
  if (refused !== undefined) {
    return `no secret may be delivered to ${refused.name}: it ${whyNoSecret(refused.name) ?? ""}`;
  }
  const texts = [...wordsOf(entry), ...entry.env].filter(({ pointer }) => pointers.has(pointer));
  if (texts.some(({ text, literal }) => literal !== undefined && literal !== text))
    return "it is a number that clients hand on in more than one spelling: put it in quotes first";
  if (texts.some(({ text }) => !isStartable(text))) {
    return "a value holds a character that no program can be started with";
  }
  const unclear = [...wordsOf(entry), ...entry.env].some(({ text }) => refsOrNone(text) === undefined);
  return unclear ? `it holds a text that begins with ${SCHEME} and is no reference` : undefined;
}

/** One entry moves as a whole: its secrets become references, and it starts through the launcher. */
function moveEntry(entry: Entry, found: readonly Finding[], { input, places, launcher }: Planning): EntryResult {
  const wrapped = unwrap(entry);
  const id = input.ids?.get(entry.pointer) ?? wrapped?.id ?? `${input.client}/${serverId(entry.server)}`;
  const words = wordsOf(entry);
  const origin = { client: input.client, server: entry.server };
  const inEnv = entry.env.map((variable) => replaceIn(variable, found, { origin, places }));
  const taken = new Set(entry.env.map(({ name }) => name));
  const inWords = words.map((_, index) => {
    const place = { words, index, taken, interpolates: input.interpolates };
    const taking = takeFromArgv(place, found, (word, alone) => replaceIn(word, found, { origin, places, alone }));
    for (const [name] of taking.variables) taken.add(name);
    return taking;
  });
  const moved = inWords.flatMap((word) => word.variables);
  const [command = "", ...args] = inWords.map((word) => word.after);
  const env = [...entry.env.map(({ name }, at): [string, string] => [name, inEnv[at]?.after ?? ""]), ...moved];
  const findings = [...inEnv, ...inWords].flatMap((text) => text.findings);
  return {
    findings,
    entry: {
      id,
      server: entry.server,
      pointer: entry.pointer,
      command,
      args,
      env: Object.fromEntries(env),
      members: entry.members ?? {},
      ...(wrapped !== undefined && wrapped.id !== id && { copyOf: wrapped.id }),
      made: findings.flatMap(({ reference }) => reference ?? []),
    },
    edits: [
      ...(wrapped === undefined ? wrap(entry, command, launcher, id) : newId(wrapped, id)),
      ...inWords.filter((word) => wrapped !== undefined || word.place !== entry.command).flatMap((word) => word.edits),
      ...inEnv.flatMap((variable) => variable.edits),
      ...moved.map(([name, text]): Edit => ({ type: "add", pointer: `${entry.pointer}/env`, name, text })),
    ],
  };
}

/** What an entry starts, as its config has it. */
export function entryWords(entry: Entry): EntryWords {
  const [command = "", ...args] = wordsOf(entry).map(({ text }) => text);
  const env = Object.fromEntries(entry.env.map(({ name, text }) => [name, text]));
  return { command, args, env, members: entry.members ?? {} };
}

/** Puts the launcher in front: the command becomes ours, and the old one the first word after `--`. */
function wrap(entry: Entry, command: string, launcher: EntryCommand, id: string): Edit[] {
  const old = entry.command;
  if (old === undefined) return [];
  return [
    { type: "replace", pointer: old.pointer, start: 0, end: old.text.length, text: launcher.command },
    { type: "prepend", pointer: `${entry.pointer}/args`, items: [...launcherWords(launcher, id), command] },
  ];
}

function newId({ id: old, idAt: { pointer } }: Unwrapped, id: string): Edit[] {
  return old === id ? [] : [{ type: "replace", pointer, start: 0, end: old.length, text: id }];
}
