import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import type { Provider, ResolveRequest } from "../core/provider.ts";
import { formatRef, parseRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { renewApprovals, type Renewal, saveApprovals } from "../launch/approvals.ts";
import { copySecrets } from "../migrate/copy.ts";
import { Journal, originsOf } from "../migrate/journal.ts";
import { heldRefs, type Leaves, type Moving, secretOf } from "../migrate/move.ts";
import type { PlanInput, PlannedEntry } from "../migrate/plan.ts";
import { planRelocations, type RelocationPorts } from "../migrate/relocate.ts";
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

/**
 * The user's word for the entries of a config as they will be: given for what is migrated now, renewed where only
 * references change.
 * @returns ids of entries that change and are not approved
 */
export async function giveWord(
  context: Context,
  config: string,
  entries: readonly PlannedEntry[],
): Promise<readonly string[]> {
  const given = entries.filter(({ was }) => was === undefined);
  await saveApprovals(
    context,
    given.map((entry) => ({ ...entry, config })),
  );
  return renewApprovals(context, renewals(config, entries));
}

/** Where the config did not change after all: the word holds for the entries as they were. */
export async function takeWordBack(context: Context, config: string, entries: readonly PlannedEntry[]): Promise<void> {
  await renewApprovals(
    context,
    renewals(config, entries).map(({ before, after }) => ({ before: after, after: before })),
  );
}

function renewals(config: string, entries: readonly PlannedEntry[]): Renewal[] {
  return entries.flatMap(({ was, ...entry }) => {
    return was === undefined ? [] : [{ before: { ...entry, ...was, config }, after: { ...entry, config } }];
  });
}
