import type { Edit, Entry } from "../clients/document.ts";
import { SCHEME, type SecretRef } from "../core/ref.ts";
import type { Finding } from "../detect/finding.ts";
import { whyNoSecret } from "../launch/environment.ts";
import { takeFromArgv } from "./moved-argument.ts";
import { replaceIn } from "./replace.ts";
import { isStartable } from "./spelling.ts";
import { serverId } from "./names.ts";
import { type KnownSecret, Places, type PlannedSecret } from "./places.ts";
import { type EntryCommand, launcherWords, unwrap, wordsOf } from "./wrapper.ts";

/** A config as it was read, and what was found in it. */
export interface PlanInput {
  /** As the user named it. */
  readonly path: string;
  /** The client part of entry ids. */
  readonly client: string;
  /** True where the client expands `${NAME}` itself. */
  readonly interpolates: boolean;
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
  /** Where nothing but references changes: what it was. An approval of that is renewed, and none is given. */
  readonly was?: EntryWords;
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
  const used = new Set(configs.flatMap(({ findings }) => findings.map(({ reference }) => reference)));
  return { configs, secrets: places.planned().filter(({ ref }) => used.has(ref)) };
}

/** What the planning of one config goes by. */
interface Planning {
  readonly input: PlanInput;
  readonly places: Places;
  readonly launcher: EntryCommand;
}

function planConfig(input: PlanInput, places: Places, launcher: EntryCommand): ConfigPlan {
  const results = input.entries
    .filter(({ entry, findings }) => findings.length > 0 || needsLauncher(entry))
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
  const odd = texts.some(({ text }) => !isStartable(text));
  return odd ? "a value holds a character that no program can be started with" : undefined;
}

/** One entry moves as a whole: its secrets become references, and it starts through the launcher. */
function moveEntry(entry: Entry, found: readonly Finding[], { input, places, launcher }: Planning): EntryResult {
  const wrapped = unwrap(entry);
  const id = wrapped?.id ?? `${input.client}/${serverId(entry.server)}`;
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
  return {
    findings: [...inEnv, ...inWords].flatMap((text) => text.findings),
    entry: {
      id,
      server: entry.server,
      pointer: entry.pointer,
      command,
      args,
      env: Object.fromEntries(env),
      members: entry.members ?? {},
    },
    edits: [
      ...(wrapped === undefined ? wrap(entry, command, launcher, id) : []),
      ...inWords.filter((word) => wrapped !== undefined || word.place !== entry.command).flatMap((word) => word.edits),
      ...inEnv.flatMap((variable) => variable.edits),
      ...moved.map(([name, text]): Edit => ({ type: "add", pointer: `${entry.pointer}/env`, name, text })),
    ],
  };
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
