import type { Edit } from "./document.ts";
import { readTail } from "./jsonc-tree.ts";
import type { JsoncTree } from "./jsonc-tree.ts";
import { nodeAt, pointerTokens } from "./tree.ts";
import type { ArrayNode, LiteralNode, Member, Node, ObjectNode, StringNode } from "./tree.ts";

/** `text` in place of a range of the file's text; UTF-16 offsets, end exclusive. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

type Replace = Extract<Edit, { type: "replace" }>;

/** A member to add: its value is a text, or a container that is missing in the file. */
type NewValue = string | { readonly items: string[] } | { readonly members: Map<string, string> };

/** What the edits ask of each node of the file. */
interface Wanted {
  readonly replaces: Map<StringNode | LiteralNode, Replace[]>;
  readonly items: Map<ArrayNode, string[]>;
  readonly members: Map<ObjectNode, Map<string, NewValue>>;
}

/** How the file is laid out around an object or array that grows. */
interface Layout {
  readonly text: string;
  readonly eol: string;
  /** Where each line begins. */
  readonly lines: readonly number[];
  /** One step of indentation. */
  readonly step: string;
  /** What stands between a colon and a value. */
  readonly gap: string;
}

/**
 * The changes of the text that make the edits, in the order of the text.
 * @throws Error where an edit names something that is not there, or is there already
 */
export function splices(tree: JsoncTree, edits: readonly Edit[]): readonly Splice[] {
  const wanted = gather(tree, edits);
  const layout = layoutOf(tree);
  const changes = [
    ...[...wanted.replaces].flatMap(([node, list]) => replaceIn(tree.text, node, list)),
    ...[...wanted.items].map(([node, items]) => prependTo(layout, node, items)),
    ...[...wanted.members].flatMap(([node, members]) => addTo(layout, node, members)),
  ];
  return changes.toSorted((a, b) => a.start - b.start || a.end - b.end);
}

function gather(tree: JsoncTree, edits: readonly Edit[]): Wanted {
  const wanted: Wanted = { replaces: new Map(), items: new Map(), members: new Map() };
  for (const edit of edits) {
    const node = nodeAt(tree.root, edit.pointer);
    if (edit.type === "replace") {
      if (node?.type !== "string" && node?.type !== "literal") throw missing(edit);
      listIn(wanted.replaces, node).push(edit);
    } else if (edit.type === "prepend") {
      const items = node === undefined ? newItems(tree.root, wanted, edit) : itemsIn(wanted, edit, node);
      items.push(...edit.items);
    } else {
      const members = node === undefined ? newMembers(tree.root, wanted, edit) : membersIn(wanted, edit, node);
      if (members.has(edit.name)) throw missing(edit);
      members.set(edit.name, edit.text);
    }
  }
  return wanted;
}

function missing(edit: Edit): Error {
  return new Error(`the edit ${edit.type} does not fit what is at ${edit.pointer}`);
}

function listIn<Key, Item>(lists: Map<Key, Item[]>, key: Key): Item[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

function itemsIn(wanted: Wanted, edit: Edit, node: Node): string[] {
  if (node.type !== "array") throw missing(edit);
  return listIn(wanted.items, node);
}

function membersIn(wanted: Wanted, edit: Edit, node: Node): Map<string, NewValue> {
  if (node.type !== "object" || (edit.type === "add" && node.members.has(edit.name))) throw missing(edit);
  const members = wanted.members.get(node) ?? new Map<string, NewValue>();
  wanted.members.set(node, members);
  return members;
}

function newItems(root: Node, wanted: Wanted, edit: Edit): string[] {
  const { members, name } = parentOf(root, wanted, edit);
  const there = members.get(name) ?? { items: [] };
  if (typeof there === "string" || !("items" in there)) throw missing(edit);
  members.set(name, there);
  return there.items;
}

function newMembers(root: Node, wanted: Wanted, edit: Edit): Map<string, string> {
  const { members, name } = parentOf(root, wanted, edit);
  const there = members.get(name) ?? { members: new Map<string, string>() };
  if (typeof there === "string" || !("members" in there)) throw missing(edit);
  members.set(name, there);
  return there.members;
}

function parentOf(root: Node, wanted: Wanted, edit: Edit): { members: Map<string, NewValue>; name: string } {
  const parent = nodeAt(root, edit.pointer.slice(0, edit.pointer.lastIndexOf("/")));
  const name = pointerTokens(edit.pointer).at(-1);
  if (parent?.type !== "object" || name === undefined) throw missing(edit);
  const members = wanted.members.get(parent) ?? new Map<string, NewValue>();
  wanted.members.set(parent, members);
  return { members, name };
}

/** Escapes outside the replaced ranges stay as they are spelled. */
function replaceIn(text: string, node: StringNode | LiteralNode, replaces: readonly Replace[]): Splice[] {
  const [first] = replaces;
  if (first === undefined) return [];
  if (node.type === "literal" || first.literal === true) return [replaceAll(node, first, replaces.length)];
  const offsets = rawOffsets(text, node);
  return replaces.map((edit) => {
    const start = offsets[edit.start];
    const end = offsets[edit.end];
    if (start === undefined || end === undefined || start > end) throw missing(edit);
    return { start, end, text: JSON.stringify(edit.text).slice(1, -1) };
  });
}

/** A number becomes a string, or the other way round. */
function replaceAll(node: StringNode | LiteralNode, edit: Replace, count: number): Splice {
  const [length, fits] =
    node.type === "literal"
      ? [node.raw.length, edit.literal === undefined && isNumber(node.raw)]
      : [node.value.length, isNumber(edit.text)];
  if (!fits || count > 1 || edit.start !== 0 || edit.end !== length) throw missing(edit);
  return { start: node.start, end: node.end, text: edit.literal === true ? edit.text : JSON.stringify(edit.text) };
}

/** As JSON spells it. */
function isNumber(text: string): boolean {
  return /^-?\d[\d.eE+-]*$/.test(text);
}

/** For each offset in the decoded string, its end included, the offset in the text of the file. */
function rawOffsets(text: string, node: StringNode): readonly number[] {
  const offsets: number[] = [];
  let position = node.start + 1;
  while (position < node.end - 1) {
    offsets.push(position);
    if (text.charAt(position) !== "\\") position += 1;
    else position += text.charAt(position + 1) === "u" ? 6 : 2;
  }
  offsets.push(position);
  return offsets;
}

function prependTo(layout: Layout, node: ArrayNode, items: readonly string[]): Splice {
  const values = items.map((item) => JSON.stringify(item));
  const first = node.items[0];
  if (first === undefined) return fillEmpty(layout, node, values);
  const between = spread(layout, node, first.start) ? lineBreak(layout, first.start) : itemGap(layout, node);
  return insert(first.start, values.map((value) => `${value},${between}`).join(""));
}

/** What stands between two items on one line. */
function itemGap(layout: Layout, node: ArrayNode): string {
  const first = node.items[0];
  const comma = first === undefined ? undefined : readTail(layout.text, first.end).comma;
  const blank = comma === undefined ? undefined : /^[ \t]*(?=\S)/.exec(layout.text.slice(comma + 1, comma + 80));
  return node.items.length < 2 || blank === undefined || blank === null ? layout.gap : blank[0];
}

function addTo(layout: Layout, node: ObjectNode, added: ReadonlyMap<string, NewValue>): Splice[] {
  const last = lastOf(node);
  if (last === undefined) {
    const inner = indentAt(layout, node.start) + layout.step;
    return [fillEmpty(layout, node, membersText(layout, added, inner, amongLines(layout, node)))];
  }
  const onLines = spread(layout, node, last.key.start);
  const indent = indentAt(layout, last.key.start);
  const members = membersText(layout, added, indent, onLines);
  const between = onLines ? layout.eol + indent : layout.gap;
  const tail = readTail(layout.text, last.value.end);
  const list = members.join(`,${between}`);
  if (tail.comma !== undefined) return [insert(onLines ? tail.end : tail.comma + 1, `${between}${list},`)];
  const at = onLines ? tail.end : last.value.end;
  if (at === last.value.end) return [insert(at, `,${between}${list}`)];
  return [insert(last.value.end, ","), insert(at, between + list)];
}

function lastOf(node: ObjectNode): Member | undefined {
  return [...node.members.values()].at(-1);
}

/** Puts the first values into an empty container, each on a line of its own unless the file is one line up to there. */
function fillEmpty(layout: Layout, node: Node, values: readonly string[]): Splice {
  if (!amongLines(layout, node)) return insert(node.start + 1, values.join(`,${layout.gap}`));
  const indent = indentAt(layout, node.start);
  const before = layout.eol + indent + layout.step;
  const closed = /[\r\n]/.test(layout.text.slice(node.start, node.end));
  return insert(node.start + 1, before + values.join(`,${before}`) + (closed ? "" : layout.eol + indent));
}

function membersText(
  layout: Layout,
  members: ReadonlyMap<string, NewValue>,
  indent: string,
  onLines: boolean,
): readonly string[] {
  return [...members].map(
    ([name, value]) => `${JSON.stringify(name)}:${layout.gap}${valueText(layout, value, indent, onLines)}`,
  );
}

function valueText(layout: Layout, value: NewValue, indent: string, onLines: boolean): string {
  if (typeof value === "string") return JSON.stringify(value);
  const [open, close] = "items" in value ? ["[", "]"] : ["{", "}"];
  const parts =
    "items" in value
      ? value.items.map((item) => JSON.stringify(item))
      : membersText(layout, value.members, indent + layout.step, onLines);
  if (!onLines || parts.length === 0) return open + parts.join(`,${layout.gap}`) + close;
  const before = layout.eol + indent + layout.step;
  return open + before + parts.join(`,${before}`) + layout.eol + indent + close;
}

function insert(at: number, text: string): Splice {
  return { start: at, end: at, text };
}

/** True where a line begins between the start of a container and `child`. */
function spread(layout: Layout, container: Node, child: number): boolean {
  return lineStart(layout, child) > container.start;
}

function amongLines(layout: Layout, node: Node): boolean {
  return lineStart(layout, node.start) > 0;
}

function lineBreak(layout: Layout, offset: number): string {
  return layout.eol + indentAt(layout, offset);
}

/** The blanks at the beginning of the line of `offset`. */
function indentAt(layout: Layout, offset: number): string {
  return /^[ \t]*/.exec(layout.text.slice(lineStart(layout, offset), offset))?.[0] ?? "";
}

/** Where the line of `offset` begins: a search by halves, since a file may be one line of 16 MiB. */
function lineStart({ lines }: Layout, offset: number): number {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lines[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return lines[low] ?? 0;
}

/** Taken from the first line break and the first member of the file. */
function layoutOf({ text, root }: JsoncTree): Layout {
  const eol = /\r\n|\n|\r/.exec(text)?.[0] ?? "\n";
  const plain = { text, eol, lines: lineStarts(text), step: "  ", gap: " " };
  const [first] = root.members.values();
  if (first === undefined) return plain;
  const gap = /:([ \t]*)$/.exec(text.slice(first.key.end, first.value.start))?.[1] ?? plain.gap;
  const step = spread(plain, root, first.key.start) ? indentAt(plain, first.key.start) : plain.step;
  return { ...plain, gap, step };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charAt(index);
    if (char === "\n" || (char === "\r" && text.charAt(index + 1) !== "\n")) starts.push(index + 1);
  }
  return starts;
}
