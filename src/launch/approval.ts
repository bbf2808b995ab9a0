import { createHmac, timingSafeEqual } from "node:crypto";
import { findRefs, formatRef } from "../core/ref.ts";
import { isOurs } from "./parent-env.ts";

/**
 * What the user gives their word for: an entry as the config holds it, with references in place of secrets.
 * `command` and `args` are the server's own words, without those of the launcher.
 */
export interface ApprovalSubject {
  /** `CLIENT/SERVER`. */
  readonly id: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What else of the entry decides what its client starts, by name, as JSON (src/clients/members.ts). */
  readonly members: Readonly<Record<string, string>>;
  /** Where the entry stands: the path of the config and an RFC 6901 pointer. */
  readonly config: string;
  readonly pointer: string;
}

/** A variable as it is remembered: as text where it holds references, else only by a keyed digest. */
export interface ApprovedVariable {
  readonly name: string;
  readonly text?: string;
  readonly digest?: string;
  /** True where the client puts something in place of a part of it, so that `run` sees another text. */
  readonly expands?: boolean;
}

export interface Approval {
  readonly id: string;
  readonly words: readonly string[];
  readonly env: readonly ApprovedVariable[];
  /** Missing in approvals from before they were looked at: then there are none. */
  readonly members?: readonly ApprovedVariable[];
  readonly config: string;
  readonly pointer: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

export interface SealedApproval extends Approval {
  /** HMAC-SHA256 over the canonical form of all the rest. */
  readonly mac: string;
}

/** What a launch sees of an entry. */
export interface LaunchView {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** True on Windows, where names of variables come in whatever case somebody has set them first. */
  readonly anyCase?: boolean;
}

/** What a config says of an entry: the client reads more of it than it hands on. */
export interface EntryView extends LaunchView {
  readonly members: Readonly<Record<string, string>>;
}

/** `${NAME}`, `$NAME`, `%NAME%`, `{env:NAME}`, `{{NAME}}`: what clients replace before they start a server. */
const EXPANSION = /\$\{[^}]*\}|\$[A-Za-z_][A-Za-z0-9_]*|%[A-Za-z_][A-Za-z0-9_]*%|\{(?:env|file):[^}]*\}|\{\{[^}]*\}\}/g;

export function sealApproval(subject: ApprovalSubject, key: Buffer, since: string): SealedApproval {
  const approval: Approval = {
    id: subject.id,
    words: [subject.command, ...subject.args],
    env: approveAll(subject.env, key),
    members: approveAll(subject.members, key),
    config: subject.config,
    pointer: subject.pointer,
    since,
  };
  return { ...approval, mac: sign(approval, key) };
}

/** False where anybody but us has written or changed it. */
export function isGenuine(sealed: SealedApproval, key: Buffer): boolean {
  const expected = Buffer.from(sign(sealed, key), "hex");
  const actual = Buffer.from(sealed.mac, "hex");
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** What of the launch the user has not approved, in words, without values; nothing where all is as approved. */
export function launchChanges(approval: Approval, view: LaunchView, key: Buffer): string[] {
  const changes = wordChanges(approval.words, view.words, matchesExpanded);
  if (hasForeignRefs(approval, view)) changes.push("the references");
  const fold = (name: string) => (view.anyCase === true ? name.toUpperCase() : name);
  const approved = new Map(approval.env.map((variable) => [fold(variable.name), variable]));
  const given = new Map(Object.entries(view.env).map(([name, text]) => [fold(name), text]));
  for (const variable of approval.env) {
    const text = given.get(fold(variable.name));
    // What the client puts in may be nothing, and what is ours does not come this far.
    if (variable.expands === true || isOurs(variable.name)) continue;
    // Some clients drop empty variables.
    if (text === undefined && matchesVariable(variable, "", key)) continue;
    if (text === undefined) changes.push(`the missing variable ${variable.name}`);
    else if (!matchesVariable(variable, text, key)) changes.push(`the value of ${variable.name}`);
  }
  for (const [name, text] of Object.entries(view.env)) {
    const template = approved.get(fold(name))?.text;
    if (findRefs(text).length === 0) continue;
    if (template === undefined || !matchesExpanded(template, text)) changes.push(`the reference in ${name}`);
  }
  return [...new Set(changes)];
}

/** Whatever a text may be taken for: no launch reads a reference that the user did not see. */
function hasForeignRefs(approval: Approval, view: LaunchView): boolean {
  const refsOf = (texts: readonly string[]) => texts.flatMap((text) => findRefs(text).map(({ ref }) => formatRef(ref)));
  const approved = new Set(refsOf([...approval.words, ...approval.env.map(({ text }) => text ?? "")]));
  return refsOf([...view.words, ...Object.values(view.env)]).some((ref) => !approved.has(ref));
}

/** As `launchChanges`, for the entry as the config holds it: every text exactly, and no variable more. */
export function entryChanges(approval: Approval, view: EntryView, key: Buffer): string[] {
  const changes = wordChanges(approval.words, view.words, (a, b) => a === b);
  const approved = new Map(approval.env.map((variable) => [variable.name, variable]));
  for (const [name, text] of Object.entries(view.env)) {
    const variable = approved.get(name);
    if (variable === undefined) changes.push(`the new variable ${name}`);
    else if (!matchesVariable(variable, text, key)) changes.push(`the value of ${name}`);
  }
  for (const name of approved.keys()) {
    if (!Object.hasOwn(view.env, name)) changes.push(`the missing variable ${name}`);
  }
  return [...changes, ...memberChanges(approval.members ?? [], view.members, key)];
}

function memberChanges(
  approved: readonly ApprovedVariable[],
  members: Readonly<Record<string, string>>,
  key: Buffer,
): string[] {
  const known = new Map(approved.map((member) => [member.name, member]));
  return [...new Set([...known.keys(), ...Object.keys(members)])].filter((name) => {
    const [member, text] = [known.get(name), members[name]];
    return member === undefined || text === undefined || !matchesVariable(member, text, key);
  });
}

function approveAll(texts: Readonly<Record<string, string>>, key: Buffer): ApprovedVariable[] {
  return Object.entries(texts)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => approveVariable(name, text, key));
}

function approveVariable(name: string, text: string, key: Buffer): ApprovedVariable {
  const expands = text.search(EXPANSION) >= 0 ? { expands: true } : {};
  if (findRefs(text).length > 0) return { name, text, ...expands };
  return { name, digest: digest(name, text, key), ...expands };
}

function matchesVariable(variable: ApprovedVariable, text: string, key: Buffer): boolean {
  return variable.text === undefined ? variable.digest === digest(variable.name, text, key) : variable.text === text;
}

function wordChanges(
  approved: readonly string[],
  words: readonly string[],
  matches: (approved: string, actual: string) => boolean,
): string[] {
  const [command = "", ...args] = approved;
  const same = args.length === words.length - 1 && args.every((arg, index) => matches(arg, words[index + 1] ?? ""));
  // What runs is never left to what a client puts in: an expansion would be anything.
  return [...(command === (words[0] ?? "") ? [] : ["the command"]), ...(same ? [] : ["the arguments"])];
}

/** True where `actual` can be what a client made of `approved`: equal but for the parts that clients replace. */
function matchesExpanded(approved: string, actual: string): boolean {
  if (approved === actual) return true;
  const parts = approved.split(EXPANSION);
  if (parts.length === 1) return false;
  const pattern = parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)).join("[^]*");
  return new RegExp(`^${pattern}$`).test(actual);
}

/** Keyed, so that a copy of the file does not let anybody guess at short values. */
function digest(name: string, text: string, key: Buffer): string {
  return createHmac("sha256", key).update(`value\0${name}\0${text}`).digest("hex");
}

/** The canonical form is JSON of a fixed order of members: one text for one approval. */
function sign(approval: Approval, key: Buffer): string {
  const [env, members] = [approval.env, approval.members ?? []].map((list) =>
    list.map(({ name, text, digest: value, expands }) => [name, text ?? null, value ?? null, expands === true]),
  );
  const canonical = JSON.stringify([
    "approval 1",
    approval.id,
    approval.words,
    env,
    approval.config,
    approval.pointer,
    approval.since,
    // As it was before there were members.
    ...(members?.length === 0 ? [] : [members]),
  ]);
  return createHmac("sha256", key).update(canonical).digest("hex");
}
