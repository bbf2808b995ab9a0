import type { Edit, Entry, TextAt } from "../clients/document.ts";
import { type FoundRef, formatRef, refsOrNone, type SecretRef } from "../core/ref.ts";
import {
  type ConfigPlan,
  type EntryWords,
  type Plan,
  type PlanInput,
  type PlannedEntry,
  type PlannedMove,
  entryWords,
  whyLeft,
} from "./plan.ts";
import { unwrap, wordsOf } from "./wrapper.ts";

/** Secrets that move from one store to another: which references there are, and what a plan becomes by it. Pure. */

/** A reference in an entry that may change, and whose it is. */
export interface HeldRef {
  readonly client: string;
  readonly server: string;
  readonly ref: SecretRef;
}

/** What becomes of a secret: its place in the other store (a reference without a field), or why it stays. */
export type Destination =
  | { readonly to: SecretRef; readonly left?: undefined }
  | { readonly left: string; readonly to?: undefined };

/** By the secret's own reference, without a field (`secretOf`). */
export type Destinations = ReadonlyMap<string, Destination>;

/** The secret that a reference reads a field of. */
export function secretOf({ store, path }: SecretRef): string {
  return formatRef({ store, path });
}

/** The secrets of the moves that are made, each once: where from and where to. */
export function movedSecrets(moves: readonly PlannedMove[]): [from: string, to: string][] {
  const pairs = moves.flatMap(({ from, to }) => (to === undefined ? [] : [[secretOf(from), secretOf(to)] as const]));
  return [...new Map(pairs)];
}

/** Which stores secrets are to leave, by name. */
export type Leaves = (store: string) => boolean;

/** Every reference to such a store, in the entries that need not stay as they are. */
export function heldRefs(inputs: readonly PlanInput[], leaves: Leaves): readonly HeldRef[] {
  return inputs.flatMap(({ client, entries }) =>
    entries
      .filter(({ entry, findings }) => whyLeft(entry, findings) === undefined)
      .flatMap(({ entry }) =>
        textsOf(entry).flatMap((place) =>
          refsTo(place.text, leaves).map(({ ref }) => ({ client, server: entry.server, ref })),
        ),
      ),
  );
}

/**
 * The plan in which references lead to the new places as well. What it planned so far stays. An entry that has to stay
 * keeps its references too, for an entry moves as a whole or not at all.
 */
export function withMoves(plan: Plan, inputs: readonly PlanInput[], moving: Moving): Plan {
  const configs = plan.configs.map((config, at) => {
    const input = inputs[at];
    return input === undefined ? config : moveConfig(config, input, moving);
  });
  return { ...plan, configs };
}

export interface Moving {
  readonly leaves: Leaves;
  readonly destinations: Destinations;
}

/** `text` with each reference to a secret that moves led to its new place; its field stays as it is spelled. */
export function movedText(text: string, destinations: Destinations): string {
  let after = "";
  let done = 0;
  for (const { ref, start, end } of refsOrNone(text) ?? []) {
    after += text.slice(done, start) + formatRef(movedRef(ref, destinations) ?? ref);
    done = end;
  }
  return after + text.slice(done);
}

function movedRef(ref: SecretRef, destinations: Destinations): SecretRef | undefined {
  const to = destinations.get(secretOf(ref))?.to;
  if (to === undefined) return undefined;
  return { ...ref, store: to.store, path: to.path };
}

function moveConfig(config: ConfigPlan, input: PlanInput, moving: Moving): ConfigPlan {
  const { destinations } = moving;
  const moves = input.entries.flatMap(({ entry, findings }) => movesOf(entry, whyLeft(entry, findings), moving));
  const changing = new Set(moves.flatMap(({ server, to }) => (to === undefined ? [] : [server])));
  if (changing.size === 0) return moves.length === 0 ? config : { ...config, moves };
  const planned = new Set(config.entries.map(({ server }) => server));
  const renewed = input.entries
    .filter(({ entry: { server } }) => changing.has(server) && !planned.has(server))
    .flatMap(({ entry }) => renewedEntry(entry, destinations) ?? []);
  return {
    ...config,
    moves,
    entries: [...config.entries.map((entry) => ({ ...entry, ...movedWords(entry, destinations) })), ...renewed],
    edits: [...config.edits.map((edit) => movedEdit(edit, destinations)), ...newEdits(config.edits, moves)],
  };
}

function movesOf(entry: Entry, stays: string | undefined, { leaves, destinations }: Moving): PlannedMove[] {
  return textsOf(entry).flatMap(({ pointer, text }) =>
    refsTo(text, leaves).map(({ ref, start, end }): PlannedMove => {
      const move = { server: entry.server, pointer, start, end, from: ref };
      const left = stays ?? destinations.get(secretOf(ref))?.left;
      const to = left === undefined ? movedRef(ref, destinations) : undefined;
      return { ...move, ...(to !== undefined && { to }), ...(left !== undefined && { left }) };
    }),
  );
}

/** An entry of which nothing but references changes: approved as it was, it stays approved. */
function renewedEntry(entry: Entry, destinations: Destinations): PlannedEntry | undefined {
  const wrapped = unwrap(entry);
  if (wrapped === undefined) return undefined;
  const { server, pointer } = entry;
  return { id: wrapped.id, server, pointer, ...movedWords(entryWords(entry), destinations), made: [] };
}

/** What an entry starts, with its references led to their new places. */
export function movedWords({ command, args, env, members }: EntryWords, destinations: Destinations): EntryWords {
  return {
    command: movedText(command, destinations),
    args: args.map((arg) => movedText(arg, destinations)),
    env: Object.fromEntries(Object.entries(env).map(([name, text]) => [name, movedText(text, destinations)])),
    members,
  };
}

/** What the plan writes anyway may hold a reference that moves: the words that go behind the launcher's. */
function movedEdit(edit: Edit, destinations: Destinations): Edit {
  if (edit.type !== "prepend") return { ...edit, text: movedText(edit.text, destinations) };
  return { ...edit, items: edit.items.map((item) => movedText(item, destinations)) };
}

/** The references that no edit of the plan has replaced already. */
function newEdits(edits: readonly Edit[], moves: readonly PlannedMove[]): Edit[] {
  const replaces = edits.filter((edit) => edit.type === "replace");
  const pointers = new Set(replaces.map(({ pointer }) => pointer));
  return moves.flatMap(({ pointer, start, end, to }): Edit[] => {
    const covers = (edit: (typeof replaces)[number]) =>
      edit.pointer === pointer && edit.start <= start && edit.end >= end;
    const covered = pointers.has(pointer) && replaces.some(covers);
    return to === undefined || covered ? [] : [{ type: "replace", pointer, start, end, text: formatRef(to) }];
  });
}

function textsOf(entry: Entry): readonly TextAt[] {
  return [...wordsOf(entry), ...entry.env, ...entry.headers, ...(entry.url === undefined ? [] : [entry.url])];
}

function refsTo(text: string, leaves: Leaves): readonly FoundRef[] {
  return (refsOrNone(text) ?? []).filter(({ ref }) => leaves(ref.store));
}
