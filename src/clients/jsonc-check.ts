import type { Edit } from "./document.ts";
import { nodeAt, pointerTokens } from "./tree.ts";
import type { Node } from "./tree.ts";

/** A value without its place in a file. A literal keeps its spelling, so that `1.0` is not `1`. */
type Value =
  | { text: string }
  | { raw: string }
  | { readonly items: Value[] }
  | { readonly members: Map<string, Value> };

type Replace = Extract<Edit, { type: "replace" }>;

/**
 * True where `after` holds what `before` holds with the edits made, and nothing else: values, order and spelling of
 * numbers. The edits are made on plain values here, apart from the code that edits the text.
 */
export function changedOnly(before: Node, after: Node, edits: readonly Edit[]): boolean {
  const values = new Map<Node, Value>();
  const expected = valueOf(before, values);
  const target = (pointer: string): Value | undefined => {
    const node = nodeAt(before, pointer);
    return node === undefined ? undefined : values.get(node);
  };
  const found = edits.map((edit) => ({ edit, value: target(edit.pointer) }));
  replaceAll(found);
  const prepended = new Map<Value[], Value[]>();
  for (const { edit, value } of found) {
    if (edit.type === "add" && !addMember(edit, value ?? makeMissing(edit.pointer, target, { members: new Map() }))) {
      return false;
    }
    if (edit.type !== "prepend") continue;
    const array = value ?? makeMissing(edit.pointer, target, { items: [] });
    if (!("items" in array)) return false;
    prepended.set(array.items, [...(prepended.get(array.items) ?? []), ...edit.items.map((text) => ({ text }))]);
  }
  for (const [items, first] of prepended) items.unshift(...first);
  return same(expected, valueOf(after, new Map()));
}

function replaceAll(found: readonly { edit: Edit; value: Value | undefined }[]): void {
  const ofText = new Map<{ text: string }, Replace[]>();
  for (const { edit, value } of found) {
    if (edit.type !== "replace" || value === undefined) continue;
    if ("raw" in value) value.raw = JSON.stringify(edit.text);
    if (!("text" in value)) continue;
    const list = ofText.get(value) ?? [];
    list.push(edit);
    ofText.set(value, list);
  }
  for (const [value, list] of ofText) {
    if (list[0]?.literal === true) Object.assign(value, { raw: list[0].text });
    else value.text = replaced(value.text, list);
  }
}

function replaced(text: string, list: readonly Replace[]): string {
  const sorted = list.toSorted((a, b) => a.start - b.start || a.end - b.end);
  const parts = sorted.map((edit, index) => text.slice(sorted[index - 1]?.end ?? 0, edit.start) + edit.text);
  return parts.join("") + text.slice(sorted.at(-1)?.end ?? 0);
}

function addMember(edit: Extract<Edit, { type: "add" }>, value: Value): boolean {
  const members = membersOf(value);
  if (members === undefined || members.has(edit.name)) return false;
  members.set(edit.name, { text: edit.text });
  return true;
}

function membersOf(value: Value): Map<string, Value> | undefined {
  return "members" in value ? value.members : undefined;
}

/** Puts the container that an edit calls for into its parent, once. */
function makeMissing(pointer: string, target: (pointer: string) => Value | undefined, made: Value): Value {
  const parent = target(pointer.slice(0, pointer.lastIndexOf("/")));
  const name = pointerTokens(pointer).at(-1);
  const members = parent === undefined ? undefined : membersOf(parent);
  if (members === undefined || name === undefined) return made;
  const there = members.get(name);
  if (there !== undefined) return there;
  members.set(name, made);
  return made;
}

function valueOf(node: Node, values: Map<Node, Value>): Value {
  const value = makeValue(node, values);
  values.set(node, value);
  return value;
}

/** Recursion is safe: the reader bounds the depth. */
function makeValue(node: Node, values: Map<Node, Value>): Value {
  switch (node.type) {
    case "string":
      return { text: node.value };
    case "literal":
      return { raw: node.raw };
    case "array":
      return { items: node.items.map((item) => valueOf(item, values)) };
    case "object":
      return { members: new Map([...node.members].map(([name, { value }]) => [name, valueOf(value, values)])) };
  }
}

function same(a: Value, b: Value): boolean {
  if ("raw" in a) return a.raw === spelled(b);
  if ("text" in a) return "text" in b && a.text === b.text;
  if ("items" in a) return "items" in b && sameAll(a.items, b.items);
  return "members" in b && sameNames(a.members, b.members) && sameAll([...a.members.values()], [...b.members.values()]);
}

/** A number that an edit made a string of has the spelling of that string. */
function spelled(value: Value): string | undefined {
  if ("raw" in value) return value.raw;
  return "text" in value ? JSON.stringify(value.text) : undefined;
}

function sameNames(a: Map<string, Value>, b: Map<string, Value>): boolean {
  const names = [...b.keys()];
  return a.size === b.size && [...a.keys()].every((name, index) => name === names[index]);
}

function sameAll(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((value, index) => same(value, b[index] ?? value));
}
