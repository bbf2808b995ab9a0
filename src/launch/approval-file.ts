import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Files } from "../core/files.ts";
import { shellWord } from "../core/shell.ts";
import { UserError } from "../errors.ts";
import { isGenuine, type SealedApproval } from "./approval.ts";

/** `approvals.json` and the key that seals what is in it. */

/** What reading approvals needs of the Context. */
export interface ApprovalPlace {
  readonly files: Files;
  /** The folder of mcp-secrets. */
  readonly home: string;
}

/** `approvals.json`: by id. */
interface ApprovalFile {
  readonly v: 1;
  readonly approvals: Readonly<Record<string, SealedApproval>>;
}

const KEY_BYTES = 32;

/** Durable when it returns. */
export async function writeFile(
  { files, home }: ApprovalPlace,
  approvals: Readonly<Record<string, SealedApproval>>,
): Promise<void> {
  const file: ApprovalFile = { v: 1, approvals };
  await files.writePrivate(filePath(home), `${JSON.stringify(file, undefined, 2)}\n`);
}

function filePath(home: string): string {
  return join(home, "approvals.json");
}

function keyPath(home: string): string {
  return join(home, "approvals.key");
}

export function readKey({ files, home }: ApprovalPlace): Buffer | undefined {
  const key = files.readIfExists(keyPath(home));
  return key?.length === KEY_BYTES ? key : undefined;
}

/** Made once, and never over an existing one: a new key would void every approval. */
export async function makeKey({ files, home }: ApprovalPlace): Promise<Buffer> {
  await files.createPrivate(keyPath(home), randomBytes(KEY_BYTES));
  const key = readKey({ files, home });
  if (key !== undefined) return key;
  throw new UserError("cannot-write", `${keyPath(home)} is damaged`, {
    hint: "remove it, then approve every entry again: mcp-secrets approvals",
  });
}

/** What is not of the shape we write is nobody's approval. */
export function readFile(place: ApprovalPlace): Readonly<Record<string, SealedApproval>> {
  return Object.fromEntries(Object.entries(readMembers(place) ?? {}).filter(isNamedApproval));
}

/** undefined where the file is damaged. */
function readMembers({ files, home }: ApprovalPlace): Readonly<Record<string, unknown>> | undefined {
  const bytes = files.readIfExists(filePath(home));
  if (bytes === undefined) return {};
  try {
    const file: unknown = JSON.parse(bytes.toString());
    return isObject(file) && file["v"] === 1 && isObject(file["approvals"]) ? file["approvals"] : undefined;
  } catch {
    return undefined;
  }
}

/** `hint` mends it. */
export interface ApprovalsProblem {
  readonly what: string;
  readonly hint: string;
}

/** Why approvals do not count as they were given; undefined where nothing is known to be wrong. */
export function approvalsProblem(place: ApprovalPlace): ApprovalsProblem | undefined {
  const members = readMembers(place);
  const [file, keyFile] = [filePath(place.home), keyPath(place.home)];
  const again = "then mcp-secrets approve each entry again";
  if (members === undefined) return damaged(file, `mv ${shellWord(file)} ${shellWord(`${file}.damaged`)}, ${again}`);
  const count = Object.keys(members).length;
  const key = place.files.readIfExists(keyFile);
  if (key === undefined) {
    if (count === 0) return undefined;
    return {
      what: `${keyFile} is gone, and ${count} approvals with it`,
      hint: `put your copy of it back, or ${again}`,
    };
  }
  if (key.length !== KEY_BYTES) return damaged(keyFile, `rm ${shellWord(keyFile)}, ${again}`);
  const bad = Object.entries(members).filter((member) => !isNamedApproval(member) || !isGenuine(member[1], key));
  if (bad.length === 0) return undefined;
  const names = bad.map(([id]) => id).join(", ");
  return {
    what: `${file} was changed by others: no seal of ours is on ${names}`,
    hint: "mcp-secrets approve each again",
  };
}

function damaged(path: string, otherwise: string): ApprovalsProblem {
  return { what: `${path} is damaged`, hint: `put your copy of it back, or ${otherwise}` };
}

function isNamedApproval(member: [string, unknown]): member is [string, SealedApproval] {
  const [, value] = member;
  if (!isObject(value)) return false;
  const texts = ["id", "config", "pointer", "since", "mac"].every((name) => typeof value[name] === "string");
  return texts && isListOf(value["words"], isText) && isListOf(value["env"], isVariable);
}

function isListOf(value: unknown, test: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isVariable(value: unknown): boolean {
  return isObject(value) && isText(value["name"]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
