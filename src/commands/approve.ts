import { locateConfigs, placeOf } from "../clients/locate.ts";
import { appendAudit } from "../audit/log.ts";
import type { Entry } from "../clients/document.ts";
import type { Context } from "../context.ts";
import { findRefs, formatRef } from "../core/ref.ts";
import { printable } from "../core/table.ts";
import { EXIT, UserError, systemCode } from "../errors.ts";
import type { ApprovalSubject } from "../launch/approval.ts";
import { findApproval, saveApprovals, subjectChanges } from "../launch/approvals.ts";
import { readConfig } from "../migrate/read.ts";
import { type Approvable, approvalText } from "./approval-text.ts";
import { unwrap, wordsOf } from "../migrate/wrapper.ts";

/**
 * `approve ENTRY`: shows an entry whole, as the config holds it now, and asks for the user's word at the terminal. There
 * is no way to say yes without one: whatever can write files must not be able to approve what it wrote.
 */
export async function runApprove(context: Context, id: string): Promise<number> {
  const { entry, subject } = findSubject(context, id);
  const changes = subjectChanges(context, subject);
  context.terminal.out(approvalText({ entry, subject, changes, platform: context.platform }));
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

/** The entry that is started under `id`, in the config that was approved before or in any that is found. */
function findSubject(context: Context, id: string): Pick<Approvable, "entry" | "subject"> {
  const approved = findApproval(context, id);
  const known = approved === undefined ? [] : [placeOf(context, approved.config)];
  for (const place of [...known, ...locateConfigs(context)]) {
    for (const entry of entriesOf(context, place)) {
      if ((unwrap(entry)?.id ?? `${place.id}/${entry.server}`) !== id) continue;
      const [command, ...args] = wordsOf(entry).map(({ text }) => text);
      if (command === undefined) continue;
      const env = Object.fromEntries(entry.env.map(({ name, text }) => [name, text]));
      const { pointer, members = {} } = entry;
      const config = context.files.realpath(place.path);
      return { entry, subject: { id, command, args, env, members, config, pointer } };
    }
  }
  throw new UserError("usage", `no config has an entry ${id}`, { hint: "mcp-secrets approvals lists the known ones" });
}

function entriesOf(context: Context, place: ReturnType<typeof placeOf>): readonly Entry[] {
  try {
    return readConfig(place, undefined, context.files).input.entries.map(({ entry }) => entry);
  } catch (error) {
    // Another config may hold it.
    if (error instanceof UserError) return [];
    throw error;
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
