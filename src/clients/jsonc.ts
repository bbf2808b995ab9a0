import type { ConfigDocument, ConfigFormat, Edit } from "./document.ts";
import { readEntries } from "./entries.ts";
import { changedOnly } from "./jsonc-check.ts";
import { splices } from "./jsonc-edit.ts";
import type { Splice } from "./jsonc-edit.ts";
import { removals } from "./jsonc-remove.ts";
import { fault, readJsonc } from "./jsonc-tree.ts";
import { childPointer } from "./tree.ts";
import type { ObjectNode } from "./tree.ts";

/** JSON, and JSON with comments and trailing commas: one reader, since every JSON text is both. */
export const jsonc: ConfigFormat = { parse, edit, remove };

function parse(bytes: Buffer, keyPath: readonly string[]): ConfigDocument {
  const { text, root } = readJsonc(bytes);
  let servers: ObjectNode = root;
  let pointer = "";
  for (const key of keyPath) {
    const node = servers.members.get(key)?.value;
    if (node === undefined) return { entries: [], problems: [] };
    if (node.type !== "object") throw fault(text, node.start, `${key} must be an object`);
    servers = node;
    pointer = childPointer(pointer, key);
  }
  return readEntries(servers, pointer);
}

/** Edits the text, reads the outcome again and proves that nothing but the edits changed. */
function edit(bytes: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return Buffer.from(bytes);
  const before = readJsonc(bytes);
  const edited = Buffer.from(splice(before.text, splices(before, edits)));
  if (!changedOnly(before.root, readJsonc(edited).root, edits)) throw new Error("the edits changed something else");
  return edited;
}

function remove(bytes: Buffer, pointers: readonly string[]): Buffer {
  const tree = readJsonc(bytes);
  const left = Buffer.from(splice(tree.text, removals(tree, pointers)));
  readJsonc(left);
  return left;
}

function splice(text: string, changes: readonly Splice[]): string {
  const parts: string[] = [];
  let from = 0;
  for (const change of changes) {
    if (change.start < from) throw new Error("edits overlap");
    parts.push(text.slice(from, change.start), change.text);
    from = change.end;
  }
  parts.push(text.slice(from));
  return parts.join("");
}
