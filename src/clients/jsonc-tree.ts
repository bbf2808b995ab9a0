import { createScanner } from "jsonc-parser";
import type { JSONScanner } from "jsonc-parser";
import { UserError } from "../errors.ts";
import type { ArrayNode, Member, Node, ObjectNode, StringNode } from "./tree.ts";

/** Limits of what is read: a config of 10,000 servers is far below each of them. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 512;
const MAX_VALUES = 1_000_000;

/** `SyntaxKind` and `ScanError` of jsonc-parser 3.3, which declares them as const enums. */
const TOKEN = {
  openBrace: 1,
  closeBrace: 2,
  openBracket: 3,
  closeBracket: 4,
  comma: 5,
  colon: 6,
  null: 7,
  true: 8,
  false: 9,
  string: 10,
  number: 11,
  lineComment: 12,
  blockComment: 13,
  end: 17,
} as const;

const SCAN_PROBLEM = new Map<number, string>([
  [1, "comment without an end"],
  [2, "string without an end"],
  [3, "number without an end"],
  [4, "malformed unicode escape"],
  [5, "unknown escape in a string"],
  [6, "control character in a string"],
]);

/** The text of a config and its root. `text` still begins with the byte order mark where the file has one. */
export interface JsoncTree {
  readonly text: string;
  readonly root: ObjectNode;
}

type Awaited = "value" | "item or close" | "key or close" | "colon" | "comma or close" | "end";

/** An object or array whose close was not read yet. */
type Open =
  | { readonly type: "object"; readonly start: number; readonly members: Map<string, Member>; key?: StringNode }
  | { readonly type: "array"; readonly start: number; readonly items: Node[] };

interface Reader {
  readonly text: string;
  readonly scanner: JSONScanner;
  readonly open: Open[];
  awaited: Awaited;
  values: number;
  root?: Node;
}

interface Token {
  readonly kind: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads JSON, or JSON with comments and trailing commas, without recursion.
 * @throws UserError config-invalid, whose message begins with `LINE:COLUMN: ` (from 1, columns in UTF-16 units) and
 * repeats nothing of the file
 */
export function readJsonc(bytes: Buffer): JsoncTree {
  const text = decode(bytes);
  const scanner = createScanner(text);
  const reader: Reader = { text, scanner, open: [], awaited: "value", values: 0 };
  let position = text.startsWith("\uFEFF") ? 1 : 0;
  for (;;) {
    const token = nextToken(text, scanner, position);
    if (scanner.getTokenError() !== 0) throw scanFault(reader, token);
    if (token.kind === TOKEN.end) break;
    accept(reader, token);
    position = token.end;
  }
  if (reader.root?.type === "object" && reader.open.length === 0) return { text, root: reader.root };
  if (reader.root === undefined) throw fault(text, text.length, "unexpected end of file");
  throw fault(text, reader.root.start, "the file must hold one object");
}

/** Where the comma after a value stands, if there is one, and where the comments that follow on the same line end. */
export function readTail(text: string, from: number): { readonly comma?: number; readonly end: number } {
  const scanner = createScanner(text);
  const first = nextToken(text, scanner, from);
  const comma = first.kind === TOKEN.comma ? first.start : undefined;
  let end = comma === undefined ? from : first.end;
  for (;;) {
    scanner.setPosition(skipBlanks(text, end, " \t"));
    const kind: number = scanner.scan();
    if (kind !== TOKEN.lineComment && kind !== TOKEN.blockComment) break;
    end = scanner.getPosition();
  }
  return comma === undefined ? { end } : { comma, end };
}

function decode(bytes: Buffer): string {
  if (bytes.length > MAX_BYTES) throw new UserError("config-invalid", "1:1: larger than 16 MiB");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const lossy = bytes.toString("utf8");
    const offset = firstDifference(bytes, Buffer.from(lossy));
    const before = bytes.subarray(0, offset).toString("utf8");
    throw fault(before, before.length, "not UTF-8");
  }
}

function firstDifference(a: Buffer, b: Buffer): number {
  let index = 0;
  while (index < a.length && a[index] === b[index]) index += 1;
  return index;
}

/** Blanks are skipped here: the scanner would gather them one by one into a string. */
function nextToken(text: string, scanner: JSONScanner, from: number): Token {
  let position = from;
  for (;;) {
    scanner.setPosition(skipBlanks(text, position, " \t\r\n"));
    const kind: number = scanner.scan();
    position = scanner.getPosition();
    const comment = kind === TOKEN.lineComment || kind === TOKEN.blockComment;
    if (!comment || scanner.getTokenError() !== 0) return { kind, start: scanner.getTokenOffset(), end: position };
  }
}

function skipBlanks(text: string, from: number, blanks: string): number {
  let position = from;
  while (position < text.length && blanks.includes(text.charAt(position))) position += 1;
  return position;
}

function accept(reader: Reader, token: Token): void {
  switch (reader.awaited) {
    case "value":
      return acceptValue(reader, token);
    case "item or close":
      return token.kind === TOKEN.closeBracket ? close(reader, token) : acceptValue(reader, token);
    case "key or close":
      return token.kind === TOKEN.closeBrace ? close(reader, token) : acceptKey(reader, token);
    case "colon":
      if (token.kind !== TOKEN.colon) throw fault(reader.text, token.start, "expected a colon");
      reader.awaited = "value";
      return;
    case "comma or close":
      return acceptComma(reader, token);
    case "end":
      throw fault(reader.text, token.start, "something follows the end of the object");
  }
}

function acceptValue(reader: Reader, token: Token): void {
  const { start, end } = token;
  reader.values += 1;
  if (reader.values > MAX_VALUES) throw fault(reader.text, start, "more than a million values");
  switch (token.kind) {
    case TOKEN.openBrace:
      return open(reader, { type: "object", start, members: new Map() });
    case TOKEN.openBracket:
      return open(reader, { type: "array", start, items: [] });
    case TOKEN.string:
      return add(reader, { type: "string", start, end, value: reader.scanner.getTokenValue() });
    case TOKEN.number:
    case TOKEN.true:
    case TOKEN.false:
    case TOKEN.null:
      return add(reader, { type: "literal", start, end, raw: reader.text.slice(start, end) });
    default:
      throw fault(reader.text, start, "expected a value");
  }
}

function acceptKey(reader: Reader, token: Token): void {
  const holder = reader.open.at(-1);
  if (token.kind !== TOKEN.string || holder?.type !== "object") {
    throw fault(reader.text, token.start, "expected a name in double quotes");
  }
  const value = reader.scanner.getTokenValue();
  const first = holder.members.get(value);
  if (first !== undefined) {
    const at = place(reader.text, first.key.start);
    throw fault(reader.text, token.start, `duplicate key, first used at line ${at.line}, column ${at.column}`);
  }
  holder.key = { type: "string", start: token.start, end: token.end, value };
  reader.awaited = "colon";
}

function acceptComma(reader: Reader, token: Token): void {
  const inObject = reader.open.at(-1)?.type === "object";
  if (token.kind === TOKEN.comma) {
    reader.awaited = inObject ? "key or close" : "item or close";
    return;
  }
  if (token.kind === (inObject ? TOKEN.closeBrace : TOKEN.closeBracket)) return close(reader, token);
  throw fault(reader.text, token.start, `expected a comma or the end of the ${inObject ? "object" : "array"}`);
}

function open(reader: Reader, container: Open): void {
  reader.open.push(container);
  if (reader.open.length > MAX_DEPTH) throw fault(reader.text, container.start, "nested deeper than 512 levels");
  reader.awaited = container.type === "object" ? "key or close" : "item or close";
}

function close(reader: Reader, token: Token): void {
  const closed = reader.open.pop();
  if (closed === undefined) throw new Error("a close without an open passed the reader");
  add(reader, closedNode(closed, token.end));
}

function closedNode(closed: Open, end: number): ObjectNode | ArrayNode {
  const { start } = closed;
  if (closed.type === "array") return { type: "array", start, end, items: closed.items };
  return { type: "object", start, end, members: closed.members };
}

function add(reader: Reader, node: Node): void {
  const holder = reader.open.at(-1);
  if (holder === undefined) {
    reader.root = node;
    reader.awaited = "end";
    return;
  }
  if (holder.type === "array") holder.items.push(node);
  else if (holder.key !== undefined) holder.members.set(holder.key.value, { key: holder.key, value: node });
  reader.awaited = "comma or close";
}

function scanFault(reader: Reader, token: Token): UserError {
  const problem = SCAN_PROBLEM.get(reader.scanner.getTokenError()) ?? "not JSON";
  return fault(reader.text, token.start, problem);
}

/** A `config-invalid` error for a place in the text. */
export function fault(text: string, offset: number, problem: string): UserError {
  const { line, column } = place(text, offset);
  return new UserError("config-invalid", `${line}:${column}: ${problem}`);
}

/** Line and column of an offset, both from 1; a byte order mark takes no column. */
function place(text: string, offset: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let lineStart = text.startsWith("\uFEFF") ? 1 : 0;
  for (const match of text.slice(0, offset).matchAll(/\r\n|\r|\n/g)) {
    line += 1;
    lineStart = match.index + match[0].length;
  }
  return { line, column: Math.max(1, offset - lineStart + 1) };
}
