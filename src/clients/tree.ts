/** A config as a tree, whatever its format: `start` and `end` are UTF-16 offsets in the text of the file. */

interface Span {
  readonly start: number;
  readonly end: number;
}

export interface StringNode extends Span {
  readonly type: "string";
  readonly value: string;
}

/** A number, `true`, `false` or `null`; `raw` is its spelling. */
export interface LiteralNode extends Span {
  readonly type: "literal";
  readonly raw: string;
}

export interface ArrayNode extends Span {
  readonly type: "array";
  readonly items: readonly Node[];
}

export interface Member {
  readonly key: StringNode;
  readonly value: Node;
}

/** Members in the order of the file, by their decoded name. */
export interface ObjectNode extends Span {
  readonly type: "object";
  readonly members: ReadonlyMap<string, Member>;
}

export type Node = StringNode | LiteralNode | ArrayNode | ObjectNode;

/** The pointer of a member or item below `pointer` (RFC 6901). */
export function childPointer(pointer: string, token: string): string {
  return `${pointer}/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The tokens of a pointer, decoded. */
export function pointerTokens(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The node at a pointer, or undefined where nothing is. */
export function nodeAt(root: Node, pointer: string): Node | undefined {
  let node: Node | undefined = root;
  for (const token of pointerTokens(pointer)) {
    if (node === undefined) return undefined;
    node = childOf(node, token);
  }
  return node;
}

function childOf(node: Node, token: string): Node | undefined {
  if (node.type === "object") return node.members.get(token)?.value;
  if (node.type === "array" && /^(?:0|[1-9]\d*)$/.test(token)) return node.items[Number(token)];
  return undefined;
}
