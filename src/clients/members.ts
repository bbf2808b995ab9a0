import type { Node, ObjectNode } from "./tree.ts";

/**
 * Members of an entry beside its command, arguments and variables that decide what its client starts. By their clients'
 * documentation: the folder (most clients), files and names of variables that are added (VS Code, Cursor, Codex, goose),
 * a debugger and a sandbox (VS Code).
 */
export const START_MEMBERS = [
  "cwd",
  "workingDirectory",
  "working_directory",
  "envFile",
  "env_file",
  "env_vars",
  "env_keys",
  "dev",
  "sandbox",
  "sandboxEnabled",
] as const;

/** Those that the entry has, by name, as JSON in one spelling. */
export function startMembers({ members }: ObjectNode): Readonly<Record<string, string>> {
  return Object.fromEntries(
    START_MEMBERS.flatMap((name) => {
      const node = members.get(name)?.value;
      return node === undefined ? [] : [[name, JSON.stringify(plain(node))]];
    }),
  );
}

function plain(node: Node): unknown {
  if (node.type === "string") return node.value;
  if (node.type === "array") return node.items.map(plain);
  if (node.type === "literal") return JSON.parse(node.raw) as unknown;
  return Object.fromEntries([...node.members].map(([name, { value }]) => [name, plain(value)]));
}
