import { type ConfigPlace, placeOf } from "../clients/locate.ts";
import { appendAudit } from "../audit/log.ts";
import type { Entry } from "../clients/document.ts";
import type { Context } from "../context.ts";
import { findRefs, formatRef } from "../core/ref.ts";
import { shellWord } from "../core/shell.ts";
import { printable } from "../core/table.ts";
import { told } from "../core/told.ts";
import { EXIT, UserError, systemCode } from "../errors.ts";
import type { ApprovalSubject } from "../launch/approval.ts";
import { findApproval, saveApprovals, subjectChanges } from "../launch/approvals.ts";
import { serverId } from "../migrate/names.ts";
import { readConfig } from "../migrate/read.ts";
import { unwrap, wordsOf } from "../migrate/wrapper.ts";
import { type Approvable, approvalText } from "./approval-text.ts";
import { knownConfigs } from "./known-configs.ts";

export interface ApproveOptions {
  /** Where the entry is, for a config that nobody knows. */
  readonly config?: string;
}

/**
 * `approve ENTRY`: shows an entry whole, as the config holds it now, and asks for the user's word at the terminal. There
 * is no way to say yes without one: whatever can write files must not be able to approve what it wrote.
 */
export async function runApprove(
  context: Context,
  id: string | undefined,
  options: ApproveOptions = {},
): Promise<number> {
  if (id === undefined) {
    throw new UserError("usage", "approve takes an entry: CLIENT/SERVER", {
      hint: "mcp-secrets doctor names those to approve",
    });
  }
  const { entry, subject, others } = findSubject(context, id, options);
  const changes = subjectChanges(context, subject);
  context.terminal.out(approvalText({ entry, subject, changes, platform: context.platform }));
  tellOthers(context, id, others);
  if (changes?.length === 0) return EXIT.ok;
  if (!(await givesWord(context, id))) {
    throw new UserError("not-approved", `${id} was not approved`, { hint: `mcp-secrets approve ${id}` });
  }
  await saveApprovals(context, [subject]);
  const refs = referencesOf(subject);
  appendAudit(context, { event: "approved", outcome: "ok", entry: id, refs, config: subject.config });
  context.terminal.out(`approved ${printable(id)}\n`);
  return EXIT.ok;
}

/** An entry that is started under the id, and the config that holds it. */
interface Match {
  readonly place: ConfigPlace;
  readonly entry: Entry;
}

interface Found extends Pick<Approvable, "entry" | "subject"> {
  /** Configs that have a copy of it. */
  readonly others: readonly string[];
}

/** The entry that is started under `id`, in the config that was approved before or in any that is known. */
function findSubject(context: Context, id: string, { config }: ApproveOptions): Found {
  const { matches, failure } = matchesIn(context, id, placesOf(context, id, config));
  const [first] = matches;
  if (first === undefined) {
    throw failure ?? new UserError("usage", `no known config has an entry ${id}`, { hint: whereHint(id) });
  }
  const [here, others] = [true, false].map((same) => matches.filter(({ place }) => (place === first.place) === same));
  if (here !== undefined && here.length > 1) throw shared(id, here);
  const { place, entry } = first;
  const [command, ...args] = wordsOf(entry).map(({ text }) => text);
  if (command === undefined) throw new UserError("usage", `${id} starts nothing: there is nothing to approve`);
  const env = Object.fromEntries(entry.env.map(({ name, text }) => [name, text]));
  const { pointer, members = {} } = entry;
  const subject = { id, command, args, env, members, config: context.files.realpath(place.path), pointer };
  return { entry, subject, others: [...new Set((others ?? []).map((match) => match.place.path))] };
}

/** First that from which the entry was approved. */
function placesOf(context: Context, id: string, config: string | undefined): readonly ConfigPlace[] {
  if (config !== undefined) return [placeOf(context, config)];
  const approved = findApproval(context, id)?.config;
  const known = knownConfigs(context).filter(({ path }) => context.files.look(path) !== undefined);
  const isFirst = ({ path }: ConfigPlace) => context.files.realpath(path) === approved;
  return [...known.filter(isFirst), ...known.filter((place) => !isFirst(place))];
}

/** `failure`: why a config could not be looked into. */
function matchesIn(context: Context, id: string, places: readonly ConfigPlace[]) {
  const matches: Match[] = [];
  let failure: UserError | undefined;
  for (const place of places) {
    try {
      const entries = readConfig(place, [], context.files).document.entries.filter(({ kind }) => kind === "stdio");
      const wrapped = entries.filter((entry) => unwrap(entry)?.id === id);
      const plain = entries.filter((entry) => unwrap(entry) === undefined && isCalled(entry, place, id));
      matches.push(...(wrapped.length > 0 ? wrapped : plain).map((entry) => ({ place, entry })));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      failure ??= error;
    }
  }
  return { matches, failure };
}

function isCalled({ server }: Entry, { id: client }: ConfigPlace, id: string): boolean {
  return `${client}/${serverId(server)}` === id || `${client}/${server}` === id;
}

function whereHint(id: string): string {
  return `mcp-secrets approvals lists the known ones; for another config: mcp-secrets approve ${shellWord(id)} --config FILE`;
}

function shared(id: string, matches: readonly Match[]): UserError {
  const names = matches.map(({ entry }) => entry.server).join(", ");
  const path = matches[0]?.place.path ?? "";
  return new UserError("not-approved", `several entries of ${path} start as ${id}: ${names}`, {
    hint: `mcp-secrets migrate --config ${shellWord(path)} gives each an id of its own`,
  });
}

function tellOthers({ terminal }: Context, id: string, others: readonly string[]): void {
  for (const path of others) {
    const hint = `mcp-secrets migrate --config ${shellWord(path)} gives it an id of its own`;
    terminal.err(told("warning", `a copy of it in ${path} starts as ${id} too`, hint));
  }
}

async function givesWord({ terminal }: Context, id: string): Promise<boolean> {
  try {
    const answer = await terminal.ask("start this with these secrets from now on? [y/N] ");
    return /^y(es)?$/i.test(answer?.trim() ?? "");
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new UserError("not-approved", `${id} was not approved: there is no terminal to ask at`, {
      hint: `run mcp-secrets approve ${id} in a terminal`,
      cause: error,
    });
  }
}

function referencesOf({ command, args, env }: ApprovalSubject): string[] {
  const texts = [command, ...args, ...Object.values(env)];
  return [...new Set(texts.flatMap((text) => findRefs(text).map(({ ref }) => formatRef(ref))))];
}
