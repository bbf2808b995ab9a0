import { extname, join } from "node:path";
import { pointerTokens } from "../clients/tree.ts";
import type { Files } from "../core/files.ts";
import type { Lock } from "../core/lock.ts";
import { findRefs } from "../core/ref.ts";
import { shellWord } from "../core/shell.ts";
import { UserError, systemCode } from "../errors.ts";
import {
  type Approval,
  type ApprovalSubject,
  entryChanges,
  type EntryView,
  isGenuine,
  type LaunchView,
  launchChanges,
  type SealedApproval,
  sealApproval,
} from "./approval.ts";
import {
  type ApprovalPlace,
  type ApprovalsProblem,
  approvalsProblem,
  makeKey,
  readFile,
  readKey,
  writeFile,
} from "./approval-file.ts";
import { launchedEntry, startCount } from "./config-entry.ts";

interface WritablePlace extends ApprovalPlace {
  readonly lock: Lock;
  readonly now: () => number;
}

/** As migrate's: a config that is larger was never rewritten. */
const LARGEST_CONFIG = 16 * 1024 * 1024;

/**
 * Remembers the user's word for each subject, instead of an earlier one for the same id. Durable when it returns.
 * @throws UserError locked; system errors where the folder cannot be written
 */
export async function saveApprovals(place: WritablePlace, subjects: readonly ApprovalSubject[]): Promise<void> {
  if (subjects.length === 0) return;
  const since = new Date(place.now()).toISOString();
  await changeApprovals(place, (approvals, key) => {
    for (const subject of subjects) approvals.set(subject.id, sealApproval(subject, key, since));
  });
}

/**
 * Takes the user's word back, also where it does not carry our seal. Durable when it returns.
 * @returns the ids that were approved and are not any more
 * @throws as saveApprovals
 */
export async function withdrawApprovals(
  place: WritablePlace,
  isMeant: (approval: Approval) => boolean,
): Promise<readonly string[]> {
  if (!Object.values(readFile(place)).some(isMeant)) return [];
  const withdrawn: string[] = [];
  await changeApprovals(place, (approvals) => {
    for (const [id, approval] of approvals) {
      if (!isMeant(approval)) continue;
      approvals.delete(id);
      withdrawn.push(id);
    }
  });
  return withdrawn;
}

/** An entry of which only the references change. */
export interface Renewal {
  readonly before: ApprovalSubject;
  readonly after: ApprovalSubject;
}

/**
 * The word that was given for an entry as it was holds for it as it will be. None is given: what is not approved exactly
 * so, at that place, or differs in anything but references, stays without. A renewal that was made before counts as made.
 * @returns the ids that are not approved
 * @throws as saveApprovals
 */
export async function renewApprovals(place: WritablePlace, renewals: readonly Renewal[]): Promise<readonly string[]> {
  if (renewals.length === 0) return [];
  const without: string[] = [];
  await changeApprovals(place, (approvals, key) => {
    for (const { before, after } of renewals) {
      const approval = sealedOf(approvals.get(before.id), key, before.id)?.approval;
      if (approval !== undefined && isRenewable(approval, { before, after }, key)) {
        approvals.set(after.id, sealApproval(after, key, approval.since));
      } else without.push(after.id);
    }
  });
  return without;
}

function isRenewable(approval: Approval, { before, after }: Renewal, key: Buffer): boolean {
  const samePlace = approval.config === before.config && approval.pointer === before.pointer;
  const approved = [before, after].some((subject) => entryChanges(approval, viewOf(subject), key).length === 0);
  return samePlace && approved && withoutRefs(before) === withoutRefs(after);
}

/** Everything of a subject, with one mark in place of each reference. */
function withoutRefs({ id, command, args, env, members, config, pointer }: ApprovalSubject): string {
  const marked = [command, ...args, ...byName(env).flat()].map(withoutRefsIn);
  return JSON.stringify([id, config, pointer, marked, byName(members)]);
}

function byName(texts: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(texts).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function withoutRefsIn(text: string): string {
  let after = "";
  let done = 0;
  for (const { start, end } of findRefs(text)) {
    after += `${text.slice(done, start)}\0`;
    done = end;
  }
  return after + text.slice(done);
}

type Change = (approvals: Map<string, SealedApproval>, key: Buffer) => void;

/** One change at a time, and durable. */
async function changeApprovals(place: WritablePlace, change: Change): Promise<void> {
  await place.lock(join(place.home, "approvals.lock"), async () => {
    const key = await makeKey(place);
    const before = readFile(place);
    const approvals = new Map(Object.entries(before));
    change(approvals, key);
    const after = Object.fromEntries(approvals);
    if (JSON.stringify(after) !== JSON.stringify(before)) await writeFile(place, after);
  });
}

/** Every approval that carries our seal, in the order of ids. */
export function listApprovals(place: ApprovalPlace): Approval[] {
  const key = readKey(place);
  if (key === undefined) return [];
  const sealed = Object.values(readFile(place)).filter((approval) => isGenuine(approval, key));
  return sealed.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** The approval for an id, where there is one that carries our seal. */
export function findApproval(place: ApprovalPlace, id: string): Approval | undefined {
  return sealedApproval(place, id)?.approval;
}

/** The approvals as they are at one moment, for many questions after one read. */
export interface ApprovalBook {
  /** How many there are, with or without our seal. */
  readonly size: number;
  /** Those with our seal. */
  readonly all: readonly Approval[];
  readonly problem: ApprovalsProblem | undefined;
  /** What differs from the approval of the same id, in words; undefined where there is none. */
  changesOf(subject: ApprovalSubject): string[] | undefined;
}

/** @throws system errors where they cannot be read */
export function readApprovals(place: ApprovalPlace): ApprovalBook {
  const key = readKey(place);
  const approvals = readFile(place);
  return {
    size: Object.keys(approvals).length,
    get all() {
      return listApprovals(place);
    },
    get problem() {
      return approvalsProblem(place);
    },
    changesOf(subject) {
      const found = sealedIn(approvals, key, subject.id);
      if (found === undefined) return undefined;
      return [...placeChanges(found.approval, subject), ...entryChanges(found.approval, viewOf(subject), found.key)];
    },
  };
}

/** An approval is for one place: `run` looks there for what the config says by now. */
function placeChanges(approval: Approval, { config, pointer }: ApprovalSubject): string[] {
  if (approval.config !== config) return [`its config, which was ${approval.config}`];
  if (approval.pointer === pointer) return [];
  const [before, now] = [pointerTokens(approval.pointer), pointerTokens(pointer)];
  const renamed = JSON.stringify(before.slice(0, -1)) === JSON.stringify(now.slice(0, -1));
  return [renamed ? `its name, which was ${before.at(-1) ?? ""}` : `its place, which was ${approval.pointer}`];
}

function viewOf({ command, args, env, members }: ApprovalSubject): EntryView {
  return { words: [command, ...args], env, members };
}

/** As `changesOf`, for one subject. */
export function subjectChanges(place: ApprovalPlace, subject: ApprovalSubject): string[] | undefined {
  return readApprovals(place).changesOf(subject);
}

/**
 * The approval under which a launch may have secrets.
 * @throws UserError not-approved where the user never saw this entry as it is now
 */
export function checkApproval(place: ApprovalPlace, id: string, view: LaunchView): Approval {
  const found = sealedApproval(place, id);
  if (found === undefined) throw unknown(place, id);
  const changes = launchChanges(found.approval, view, found.key);
  if (changes.length === 0) changes.push(...configChanges(place, found));
  if (changes.length > 0) throw notApproved(id, `changed since it was approved: ${changes.join(", ")}`);
  return found.approval;
}

/**
 * What the config says by now. A variable that was added there cannot be told from one of the client's own by the
 * environment alone, and whoever edits a config may add any. A config that is gone or not ours to read starts nothing.
 */
function configChanges(place: ApprovalPlace, { approval, key }: KeyedApproval): string[] {
  if (![".json", ".jsonc"].includes(extname(approval.config).toLowerCase())) return [];
  const bytes = readConfig(place.files, approval.config);
  if (bytes === undefined) return [];
  const entry =
    bytes.length > LARGEST_CONFIG ? undefined : launchedEntry(bytes.toString(), approval.pointer, approval.id);
  if (entry === undefined) return elsewhere(approval, startCount(bytes.toString(), approval.id));
  // A program in front of the launcher may do anything, and hand on what it likes.
  return isOurs(place, entry.program) ? entryChanges(approval, entry, key) : ["the launcher"];
}

/** That nobody approved an entry cannot be told from an approval that cannot be read. */
function unknown(place: ApprovalPlace, id: string): UserError {
  const wrong = approvalsProblem(place);
  if (wrong === undefined) return notApproved(id, "nobody has approved it");
  return new UserError("not-approved", `${id} is not approved: ${wrong.what}`, { hint: "mcp-secrets doctor" });
}

/** The entry is not where it was approved: renamed, copied, or gone. */
function elsewhere({ id, config }: Approval, starts: number): string[] {
  if (starts === 0) return [`the entry in ${config}`];
  if (starts === 1) return [`its name or place in ${config}`];
  throw new UserError("not-approved", `${id} is not approved: several entries of ${config} start as it`, {
    hint: `mcp-secrets migrate --config ${shellWord(config)} gives each an id of its own`,
  });
}

function isOurs({ files, home }: ApprovalPlace, program: string): boolean {
  const ours = ["mcp-secrets", "mcp-secrets.cjs"].map((name) => join(home, "bin", name));
  return ours.includes(program) || (files.look(program) !== undefined && ours.includes(files.realpath(program)));
}

function readConfig(files: Files, path: string): Buffer | undefined {
  try {
    // What is no file, or larger than a config can be, is not read: a pipe would wait for ever.
    const { kind, size } = files.identify(path);
    return kind === "file" && size <= LARGEST_CONFIG ? files.readIfExists(path) : Buffer.alloc(0);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) === "EACCES" || systemCode(error) === "EISDIR") return undefined;
    throw error;
  }
}

function notApproved(id: string, what: string): UserError {
  return new UserError("not-approved", `${id} is not approved: ${what}`, {
    hint: `mcp-secrets approve ${shellWord(id)}`,
  });
}

interface KeyedApproval {
  readonly approval: SealedApproval;
  readonly key: Buffer;
}

function sealedApproval(place: ApprovalPlace, id: string): KeyedApproval | undefined {
  return sealedIn(readFile(place), readKey(place), id);
}

function sealedIn(
  approvals: Readonly<Record<string, SealedApproval>>,
  key: Buffer | undefined,
  id: string,
): KeyedApproval | undefined {
  return sealedOf(Object.hasOwn(approvals, id) ? approvals[id] : undefined, key, id);
}

function sealedOf(
  approval: SealedApproval | undefined,
  key: Buffer | undefined,
  id: string,
): KeyedApproval | undefined {
  if (key === undefined || approval === undefined || approval.id !== id) return undefined;
  return isGenuine(approval, key) ? { approval, key } : undefined;
}
