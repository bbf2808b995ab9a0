import { appendAudit } from "../audit/log.ts";
import type { Entry } from "../clients/document.ts";
import type { Context } from "../context.ts";
import type { Provider, ResolveRequest } from "../core/provider.ts";
import { formatRef, parseRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import type { ApprovalSubject } from "../launch/approval.ts";
import { type ApprovalBook, readApprovals, renewApprovals, type Renewal, saveApprovals } from "../launch/approvals.ts";
import { copySecrets } from "../migrate/copy.ts";
import { Journal, originsOf } from "../migrate/journal.ts";
import { heldRefs, type Leaves, type Moving, secretOf } from "../migrate/move.ts";
import { type ConfigPlan, entryWords, namedRefs, type PlanInput, type PlannedEntry } from "../migrate/plan.ts";
import type { ReadConfig } from "../migrate/read.ts";
import { planRelocations, type RelocationPorts } from "../migrate/relocate.ts";
import { unwrap } from "../migrate/wrapper.ts";
import { openStore } from "../stores.ts";
import { carryRotations, type JudgedMoves, judgeMoves } from "./move-rotation.ts";

/** What `migrate` does with secrets that are stored already, in another store than the one chosen. */

export interface MoveOptions {
  readonly store?: string;
  /** Only what is in these stores. */
  readonly from?: readonly string[];
}

export interface Moves extends Moving, JudgedMoves {
  readonly ports: RelocationPorts;
}

/** How long a store may take for one answer of many secrets, in milliseconds. */
const STORE_DEADLINE = 120_000;

/**
 * What moves to `store`. Nothing where the user named no store at all: another default is no wish to move what is there.
 * @throws UserError usage, store-unknown, or as the stores do
 */
export async function prepareMoves(
  context: Context,
  options: MoveOptions,
  inputs: readonly PlanInput[],
  store: string,
): Promise<Moves> {
  const ports = portsOf(context, store);
  const leaves = await leavingStores(options, ports);
  const held = heldRefs(inputs, leaves);
  const nothing = { relocations: [], destinations: new Map() };
  const plan = held.length === 0 ? nothing : await planRelocations(held, ports);
  return { leaves, ports, ...(await judgeMoves(context, plan, ports)) };
}

async function leavingStores({ store, from }: MoveOptions, ports: RelocationPorts): Promise<Leaves> {
  if (from === undefined) return (name) => store !== undefined && name !== ports.store;
  if (from.includes(ports.store)) {
    throw new UserError("usage", `secrets cannot move from store ${ports.store} to itself`, {
      hint: `name another one: mcp-secrets migrate --from ${ports.store} --store NAME`,
    });
  }
  // One that does not exist is a mistake of the user, and not a store without references.
  for (const name of from) await ports.open(name);
  return (name) => from.includes(name);
}

function portsOf(context: Context, store: string): RelocationPorts {
  const opened = new Map<string, Promise<Provider>>();
  let origins: ReadonlyMap<string, string> | undefined;
  return {
    store,
    open(name) {
      const provider = opened.get(name) ?? openStore(context, name);
      opened.set(name, provider);
      return provider;
    },
    cameFrom(secret) {
      origins ??= originsOf(new Journal(context.files, context.home).read().migrations);
      const from = origins.get(secretOf(secret));
      return from === undefined ? undefined : parseRef(from);
    },
    request: (): ResolveRequest => ({ deadline: context.now() + STORE_DEADLINE }),
  };
}

/** Copies what the plan moves, and from then on rotates none of both. Sources stay. @throws UserError config-changed, or as the stores do */
export async function copyMoves(context: Context, { relocations, rotated, ports }: Moves): Promise<void> {
  const copied = await copySecrets(relocations, ports);
  await carryRotations(context, rotated, ports);
  if (copied.length === 0) return;
  appendAudit(context, { event: "stored", outcome: "ok", refs: copied.map(({ to }) => formatRef(to)) });
}

/** A config that is rewritten: its path, links followed, its entries as they are, by pointer, and as they will be. */
export interface Rewriting {
  readonly config: string;
  readonly now: ReadonlyMap<string, Entry>;
  readonly entries: readonly PlannedEntry[];
}

export function rewritingOf({ files }: Context, { path, entries }: ConfigPlan, { document }: ReadConfig): Rewriting {
  const now = new Map(document.entries.map((entry) => [entry.pointer, entry]));
  return { config: files.realpath(path), now, entries };
}

/**
 * The user's word for the entries of a config as they will be. It is given without asking where every reference takes the
 * place of a value that stood in the entry, and renewed for an entry that was approved as it was. Any other may have
 * been written by whoever wants a stored secret: it needs `approve`.
 * @returns ids of entries that change and are not approved
 */
export async function giveWord(context: Context, { entries, ...config }: Rewriting): Promise<readonly string[]> {
  const book = readApprovals(context);
  const [given, rest]: [PlannedEntry[], PlannedEntry[]] = [[], []];
  for (const entry of entries) {
    const isNew = entry.made.length > 0 || entry.copyOf !== undefined;
    (isVouched(entry) || (isNew && wasApproved(book, config, entry)) ? given : rest).push(entry);
  }
  await saveApprovals(
    context,
    given.map((entry) => ({ ...entry, config: config.config })),
  );
  return renewApprovals(context, renewals({ ...config, entries: rest }));
}

/** The entries that will need `approve`. */
export function entriesWithoutWord(context: Context, { entries, ...config }: Rewriting): readonly PlannedEntry[] {
  const book = readApprovals(context);
  return entries.filter((entry) => !isVouched(entry) && !wasApproved(book, config, entry));
}

/** Where the config did not change after all: the word holds for the entries as they were. */
export async function takeWordBack(context: Context, { entries, ...config }: Rewriting): Promise<void> {
  const rest = entries.filter((entry) => !isVouched(entry));
  await renewApprovals(
    context,
    renewals({ ...config, entries: rest }).map(({ before, after }) => ({ before: after, after: before })),
  );
}

function isVouched(entry: PlannedEntry): boolean {
  return namedRefs(entry).length === 0;
}

/** True for an entry that is approved exactly as its config has it now, or is a copy of one that stands beside it. */
function wasApproved(book: ApprovalBook, config: Omit<Rewriting, "entries">, entry: PlannedEntry): boolean {
  const subject = subjectNow(config, entry);
  if (entry.copyOf === undefined) return book.changesOf(subject)?.length === 0;
  const beside = [...config.now.values()].filter(
    (one) => one.pointer !== entry.pointer && unwrap(one)?.id === entry.copyOf,
  );
  const ofOriginal = { ...subject, id: entry.copyOf };
  return beside.some(({ pointer }) => book.changesOf({ ...ofOriginal, pointer })?.length === 0);
}

function renewals({ entries, ...config }: Rewriting): Renewal[] {
  return entries.map((entry) => {
    return { before: subjectNow(config, entry), after: { ...entry, config: config.config } };
  });
}

function subjectNow({ config, now }: Omit<Rewriting, "entries">, entry: PlannedEntry): ApprovalSubject {
  const found = now.get(entry.pointer);
  if (found === undefined) throw new Error("an entry was planned that the config does not have");
  return { ...entry, ...entryWords(found), config };
}
