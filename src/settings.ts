import { join } from "node:path";
import { readJsonc, readTail } from "./clients/jsonc-tree.ts";
import type { Node, ObjectNode, StringNode } from "./clients/tree.ts";
import type { Files } from "./core/files.ts";
import type { ProviderName } from "./core/provider.ts";
import { isStoreName } from "./core/ref.ts";
import { UserError } from "./errors.ts";

/**
 * `config.jsonc` in the home of mcp-secrets: which stores there are, and how they are reached. Written by the user, or
 * by `store add`, which leaves every other byte as it was. Never read from anywhere else.
 */
export interface Settings {
  readonly stores: readonly StoreSettings[];
  /** Where `migrate` and `set` go when no store is named. */
  readonly defaultStore: string;
}

export interface StoreSettings {
  readonly name: string;
  readonly provider: ProviderName;
  /** What the provider itself reads, strictly. */
  readonly settings: Readonly<Record<string, unknown>>;
}

interface Place {
  readonly files: Files;
  readonly home: string;
}

const LOCAL = "local";
const CONFIGURED: readonly ProviderName[] = ["vault", "aws", "github-app"];

/** @throws UserError config-invalid */
export function readSettings(place: Place): Settings {
  const root = readRoot(place);
  const stores = root === undefined ? undefined : root.members.get("stores")?.value;
  if (stores !== undefined && stores.type !== "object") throw invalid("stores must be an object");
  const named = [...(stores?.members ?? [])].map(([name, { value }]) => storeOf(name, value));
  const chosen = root?.members.get("defaultStore")?.value;
  if (chosen !== undefined && chosen.type !== "string") throw invalid("defaultStore must be the name of a store");
  const defaultStore = chosen?.value ?? LOCAL;
  if (defaultStore !== LOCAL && !named.some(({ name }) => name === defaultStore)) {
    throw invalid("defaultStore names no store");
  }
  return { stores: named, defaultStore };
}

/** The plain value of one member of `config.jsonc`; undefined where it has none. @throws UserError config-invalid */
export function readMember(place: Place, name: string): unknown {
  const member = readRoot(place)?.members.get(name)?.value;
  return member === undefined ? undefined : valueOf(member);
}

/** The text of `config.jsonc` with one more store. @throws UserError usage where the name is taken */
export function withStore(place: Place, name: string, settings: Readonly<Record<string, unknown>>): string {
  const text = contentOf(place);
  const root = rootOf(text);
  const stores = root.members.get("stores")?.value;
  if (stores === undefined) return insert(text, root, "stores", { [name]: settings });
  if (stores.type !== "object") throw invalid("stores must be an object");
  if (stores.members.has(name)) {
    throw new UserError("usage", `there is a store ${name} already`, { hint: `change it in ${pathOf(place)}` });
  }
  return insert(text, stores, name, settings);
}

/** The text of `config.jsonc` with another default. */
export function withDefault(place: Place, name: string): string {
  const text = contentOf(place);
  const root = rootOf(text);
  const chosen = root.members.get("defaultStore")?.value;
  if (chosen === undefined) return insert(text, root, "defaultStore", name);
  return `${text.slice(0, chosen.start)}${JSON.stringify(name)}${text.slice(chosen.end)}`;
}

/**
 * The bytes of `config.jsonc` before and after each text below one of its members, names included, was led through
 * `change`; every other byte stays. undefined where nothing changes.
 * @throws UserError config-invalid
 */
export function withTexts(
  place: Place,
  name: string,
  change: (text: string) => string,
): { readonly before: Buffer; readonly after: Buffer } | undefined {
  const before = place.files.readIfExists(pathOf(place));
  const member = before === undefined ? undefined : parse(before).members.get(name)?.value;
  if (before === undefined || member === undefined) return undefined;
  const text = before.toString("utf8");
  let after = "";
  let done = 0;
  for (const { start, end, value } of textsOf(member)) {
    const changed = change(value);
    if (changed === value) continue;
    after += text.slice(done, start) + JSON.stringify(changed);
    done = end;
  }
  return done === 0 ? undefined : { before, after: Buffer.from(after + text.slice(done)) };
}

/** In the order of the file. */
function textsOf(node: Node): StringNode[] {
  switch (node.type) {
    case "string":
      return [node];
    case "literal":
      return [];
    case "array":
      return node.items.flatMap(textsOf);
    case "object":
      return [...node.members.values()].flatMap(({ key, value }) => [key, ...textsOf(value)]);
  }
}

export function pathOf({ home }: Pick<Place, "home">): string {
  return join(home, "config.jsonc");
}

function readRoot(place: Place): ObjectNode | undefined {
  const bytes = place.files.readIfExists(pathOf(place));
  return bytes === undefined ? undefined : parse(bytes);
}

function parse(bytes: Buffer): ObjectNode {
  try {
    return readJsonc(bytes).root;
  } catch (error) {
    if (error instanceof UserError) throw invalid(error.message);
    throw error;
  }
}

function storeOf(name: string, node: Node): StoreSettings {
  if (!isStoreName(name) || name === LOCAL) throw invalid("stores holds a name that no store can have");
  const value = valueOf(node);
  if (!isObject(value)) throw invalid(`stores.${name} must be an object`);
  const { provider: given, ...settings } = value;
  const provider = CONFIGURED.find((known) => known === given);
  if (provider === undefined) throw invalid(`stores.${name}.provider must be one of ${CONFIGURED.join(", ")}`);
  return { name, provider, settings };
}

/** The plain value of a node. */
function valueOf(node: Node): unknown {
  switch (node.type) {
    case "string":
      return node.value;
    case "literal": {
      const value: unknown = JSON.parse(node.raw);
      return value;
    }
    case "array":
      return node.items.map(valueOf);
    case "object":
      return Object.fromEntries([...node.members].map(([name, { value }]) => [name, valueOf(value)]));
  }
}

function contentOf(place: Place): string {
  return place.files.readIfExists(pathOf(place))?.toString("utf8") ?? "{}\n";
}

function rootOf(text: string): ObjectNode {
  return parse(Buffer.from(text));
}

/** A member behind the last one, indented as deep as its object wants it. */
function insert(text: string, object: ObjectNode, name: string, value: unknown): string {
  // `config.jsonc` has stores below its root, and nothing of ours goes deeper.
  const depth = rootOf(text).start === object.start ? 0 : 1;
  const indent = "  ".repeat(depth + 1);
  const body = JSON.stringify(value, undefined, 2).replaceAll("\n", `\n${indent}`);
  const member = `\n${indent}${JSON.stringify(name)}: ${body}`;
  const last = [...object.members.values()].at(-1);
  if (last === undefined) {
    const close = object.end - 1;
    return `${text.slice(0, object.start + 1)}${member}\n${"  ".repeat(depth)}${text.slice(close)}`;
  }
  const { comma, end } = readTail(text, last.value.end);
  if (comma !== undefined) return `${text.slice(0, end)}${member}${text.slice(end)}`;
  return `${text.slice(0, last.value.end)},${text.slice(last.value.end, end)}${member}${text.slice(end)}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(problem: string): UserError {
  return new UserError("config-invalid", `config.jsonc: ${problem}`, { hint: "mend it in config.jsonc" });
}
