import type { ConfigDocument, Entry, EntryProblem, NamedText, TextAt } from "./document.ts";
import { START_MEMBERS, startMembers } from "./members.ts";
import { childPointer } from "./tree.ts";
import type { Node, ObjectNode } from "./tree.ts";

/** An object of the config that holds servers or one server, with its pointer and what was found wrong in it. */
interface Part {
  readonly node: ObjectNode;
  readonly pointer: string;
  readonly problems: string[];
}

/**
 * The entries of the object at `pointer`, and what is wrong with those that are no entries. A member that no client
 * documents is nobody's business; one of the wrong type spoils its entry only.
 */
export function readEntries(servers: ObjectNode, pointer: string): ConfigDocument {
  const entries: Entry[] = [];
  const problems: EntryProblem[] = [];
  for (const [server, { value }] of servers.members) {
    const at = childPointer(pointer, server);
    const read = readEntry(server, at, value);
    if (typeof read === "string") problems.push({ server, pointer: at, problem: read });
    else entries.push(read);
  }
  return { entries, problems };
}

/** The entry, or what is wrong with it. */
function readEntry(server: string, pointer: string, node: Node): Entry | string {
  if (node.type !== "object") return "the entry must be an object";
  const part: Part = { node, pointer, problems: [] };
  const command = textOf(part, "command");
  const url = textOf(part, "url");
  const entry: Entry = {
    server,
    pointer,
    kind: command === undefined ? "remote" : "stdio",
    ...(command === undefined ? {} : { command }),
    ...(url === undefined ? {} : { url }),
    args: listOf(part, "args"),
    env: mapOf(part, "env"),
    headers: mapOf(part, "headers"),
    ...(START_MEMBERS.some((name) => node.members.has(name)) ? { members: startMembers(node) } : {}),
  };
  if (command === undefined && url === undefined) part.problems.push("the entry has neither command nor url");
  return part.problems[0] ?? entry;
}

function textOf(part: Part, name: string): TextAt | undefined {
  const node = part.node.members.get(name)?.value;
  if (node === undefined) return undefined;
  if (node.type === "string") return { pointer: childPointer(part.pointer, name), text: node.value };
  part.problems.push(`${name} must be a string`);
  return undefined;
}

function listOf(part: Part, name: string): readonly TextAt[] {
  const node = part.node.members.get(name)?.value;
  if (node === undefined) return [];
  const pointer = childPointer(part.pointer, name);
  const items = node.type === "array" ? node.items : [];
  const texts = items.flatMap((item, index) => textAt(item, `${pointer}/${index}`) ?? []);
  if (node.type === "array" && texts.length === node.items.length) return texts;
  part.problems.push(`${name} must be an array of strings`);
  return [];
}

function mapOf(part: Part, name: string): readonly NamedText[] {
  const node = part.node.members.get(name)?.value;
  if (node === undefined) return [];
  const pointer = childPointer(part.pointer, name);
  const members = node.type === "object" ? [...node.members] : [];
  const texts = members.flatMap(([key, { value }]) => {
    const text = textAt(value, childPointer(pointer, key));
    return text === undefined ? [] : [{ name: key, ...text }];
  });
  if (node.type === "object" && texts.length === members.length) return texts;
  part.problems.push(`${name} must be an object of strings`);
  return [];
}

/** People write `8080` and `true` where a string belongs, and clients start the server all the same. */
function textAt(node: Node, pointer: string): TextAt | undefined {
  if (node.type === "string") return { pointer, text: node.value };
  if (node.type !== "literal" || node.raw === "null") return undefined;
  return { pointer, text: String(JSON.parse(node.raw)), literal: node.raw };
}
