import { readTail } from "./jsonc-tree.ts";
import type { JsoncTree } from "./jsonc-tree.ts";
import type { Splice } from "./jsonc-edit.ts";
import { nodeAt, pointerTokens } from "./tree.ts";
import type { Node } from "./tree.ts";

/** A member or an item with all that belongs to it: a member begins at its key. */
interface Child {
  readonly start: number;
  readonly end: number;
}

/**
 * The changes of the text that take members and items away, with the commas that they leave over, in the order of the
 * text.
 * @throws Error where a pointer leads to nothing
 */
export function removals({ text, root }: JsoncTree, pointers: readonly string[]): readonly Splice[] {
  const gone = new Map<Node, Set<number>>();
  for (const pointer of pointers) {
    const parent = nodeAt(root, pointer.slice(0, pointer.lastIndexOf("/")));
    const index = parent === undefined ? -1 : indexIn(parent, pointerTokens(pointer).at(-1) ?? "");
    if (parent === undefined || index < 0) throw new Error(`nothing to remove at ${pointer}`);
    gone.set(parent, (gone.get(parent) ?? new Set()).add(index));
  }
  return [...gone]
    .flatMap(([node, indices]) => removeFrom(text, childrenOf(node), indices))
    .toSorted((a, b) => a.start - b.start);
}

/** One change for each run of neighbours. What stands before the run's first and after its last child stays. */
function removeFrom(text: string, children: readonly Child[], gone: ReadonlySet<number>): Splice[] {
  const splices: Splice[] = [];
  for (let index = 0; index < children.length; index += 1) {
    if (!gone.has(index)) continue;
    let last = index;
    while (gone.has(last + 1)) last += 1;
    splices.push({ ...runSpan(text, children, index, last), text: "" });
    index = last;
  }
  return splices;
}

function runSpan(text: string, children: readonly Child[], first: number, last: number): Child {
  const start = children[first]?.start ?? 0;
  const end = children[last]?.end ?? 0;
  const next = children[last + 1];
  if (next !== undefined) return { start, end: next.start };
  const before = children[first - 1];
  if (before !== undefined) return { start: before.end, end };
  const { comma } = readTail(text, end);
  return { start, end: comma === undefined ? end : comma + 1 };
}

function childrenOf(node: Node): readonly Child[] {
  if (node.type === "array") return node.items;
  if (node.type !== "object") return [];
  return [...node.members.values()].map(({ key, value }) => ({ start: key.start, end: value.end }));
}

function indexIn(node: Node, token: string): number {
  if (node.type === "object") return [...node.members.keys()].indexOf(token);
  return node.type === "array" && /^\d+$/.test(token) && Number(token) < node.items.length ? Number(token) : -1;
}
