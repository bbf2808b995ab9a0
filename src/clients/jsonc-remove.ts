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

/** One change for each run of neighbours. */
function removeFrom(text: string, children: readonly Child[], gone: ReadonlySet<number>): Splice[] {
  const splices: Splice[] = [];
  for (let index = 0; index < children.length; index += 1) {
    if (!gone.has(index)) continue;
    let last = index;
    while (gone.has(last + 1)) last += 1;
    const run = { children: children.slice(index, last + 1), before: children[index - 1], next: children[last + 1] };
    splices.push(removeRun(text, run));
    index = last;
  }
  return splices;
}

interface Run {
  readonly children: readonly Child[];
  /** The neighbours that stay. */
  readonly before: Child | undefined;
  readonly next: Child | undefined;
}

function removeRun(text: string, run: Run): Splice {
  const { start, end } = runSpan(text, run);
  const edges = [{ start, end: start }, ...run.children, { start: end, end }];
  const comments = edges.slice(1).flatMap((child, index) => commentsIn(text.slice(edges[index]?.end, child.start)));
  return { start, end, text: layOut(text, comments, { ...run, end }) };
}

function runSpan(text: string, { children, before, next }: Run): Child {
  const start = children[0]?.start ?? 0;
  const end = children.at(-1)?.end ?? 0;
  if (next !== undefined) return { start, end: next.start };
  if (before !== undefined) return { start: before.end, end };
  const { comma } = readTail(text, end);
  return { start, end: comma === undefined ? end : comma + 1 };
}

/** Between values there are blanks, commas and comments. */
function commentsIn(gap: string): string[] {
  return gap.match(/\/\/[^\r\n]*|\/\*[^]*?\*\//g) ?? [];
}

/** What the user wrote beside what goes stays, each comment of a line with the end of its line. */
function layOut(text: string, comments: readonly string[], place: Run & { readonly end: number }): string {
  if (comments.length === 0) return "";
  const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
  if (place.next !== undefined) {
    const indent = blanksBefore(text, place.next.start);
    return comments.map((comment) => comment + (isLine(comment) ? lineEnd + indent : " ")).join("");
  }
  const laid = comments.map((comment) => ` ${comment}${isLine(comment) ? lineEnd : ""}`).join("");
  const endsLine = /^[ \t]*\r?\n/.test(text.slice(place.end));
  return endsLine ? laid.replace(/\r?\n$/, "") : laid;
}

function isLine(comment: string): boolean {
  return comment.startsWith("//");
}

function blanksBefore(text: string, end: number): string {
  let start = end;
  while (text[start - 1] === " " || text[start - 1] === "\t") start -= 1;
  return text.slice(start, end);
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
