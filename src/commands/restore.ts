import { join } from "node:path";
import { appendAudit } from "../audit/log.ts";
import type { ClientRow } from "../clients/table.ts";
import type { Context } from "../context.ts";
import { type Seal, wantsKey } from "../core/seal.ts";
import { formatTable, printable } from "../core/table.ts";
import { told } from "../core/told.ts";
import { EXIT, UserError } from "../errors.ts";
import { renewApprovals, withdrawApprovals } from "../launch/approvals.ts";
import { createConfig, isUnsettled, replaceConfig, settleJournal } from "../migrate/apply.ts";
import { Journal, type Migration } from "../migrate/journal.ts";
import { errorJson } from "../migrate/report.ts";
import { type Restored, undoAll } from "../migrate/restore.ts";
import { openSeal } from "../stores.ts";
import { confirm } from "./confirm.ts";
import { type Differences, differences } from "./differences.ts";
import { checkServers, type RestoreTarget, restoreTargets } from "./restore-targets.ts";
import { restoredWords, startedIds } from "./restored-words.ts";

export interface RestoreOptions {
  readonly config?: readonly string[];
  readonly server?: readonly string[];
  readonly list?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** What undoing the migrations of one config comes to; `error` where nothing can be done. */
interface Restoring extends Differences {
  readonly config: string;
  readonly row: ClientRow;
  readonly current: Buffer;
  /** True where the file is gone, and is made again. */
  readonly missing: boolean;
  /** Newest first. */
  readonly migrations: readonly Migration[];
  readonly was?: string;
  readonly undone?: Restored;
  readonly error?: UserError;
}

/** `restore`: back to the exact bytes, or a merge that keeps what was edited since. Returns the exit code. */
export async function runRestore(context: Context, options: RestoreOptions): Promise<number> {
  const journal = new Journal(context.files, context.home);
  const locked = (run: () => Promise<void>) => context.lock(join(context.home, "journal", "migrate.lock"), run);
  const touches = options.list !== true && options.dryRun !== true;
  if (touches && isUnsettled(context.files, journal)) await locked(() => settleJournal(context.files, journal));
  const { migrations, problems } = journal.read();
  for (const wrong of problems) tell(context, "warning", wrong);
  const targets = restoreTargets(context, migrations, options.config);
  checkServers(targets, options.server);
  if (options.list === true) {
    const open = targets.flatMap((target) => target.migrations);
    return list(context, open, options.json === true);
  }
  const plans = await plan(context, journal, targets, options);
  if (options.json !== true) show(context, plans);
  if (touches && plans.some(({ undone }) => (undone?.servers.length ?? 0) > 0)) {
    const question = "write these configs back, with their secrets in plaintext? [y/N] ";
    if (!(await confirm(context, options, question))) return EXIT.ok;
    await locked(async () => {
      for (const restoring of plans) await write(context, journal, restoring, options);
    });
  }
  if (options.json === true) context.terminal.out(outcomeJson(plans, options));
  return exitOf(plans);
}

function exitOf(plans: readonly Restoring[]): number {
  const failed = plans.find(({ error }) => error !== undefined)?.error;
  const left = plans.some(({ undone }) => undone !== undefined && undone.refused.length + undone.gone.length > 0);
  return failed?.exit ?? (left ? EXIT.tryLater : EXIT.ok);
}

/** One config that cannot be restored does not stop the others. */
async function plan(
  context: Context,
  journal: Journal,
  targets: readonly RestoreTarget[],
  options: RestoreOptions,
): Promise<readonly Restoring[]> {
  let seal: Promise<Seal> | undefined;
  const shared = { context, journal, seal: () => (seal ??= openSeal(context)) };
  return Promise.all(
    targets.map(async ({ place: { row }, config, migrations, was, named }) => {
      const missing = context.files.look(config) === undefined;
      const current = context.files.readIfExists(config) ?? Buffer.alloc(0);
      const facts = { config, row, current, missing, migrations: migrations.toReversed(), newer: [], lost: [] };
      const nothing: Restoring = was === undefined ? facts : { ...facts, was };
      try {
        if (missing && !named) throw gone(config);
        const undone = await undoConfig(shared, nothing, options);
        return { ...nothing, undone, ...(await differences(context, undone)) };
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        return { ...nothing, error };
      }
    }),
  );
}

/** Whoever has deleted it may want it gone: it comes back for who names it. */
function gone(config: string): UserError {
  return new UserError("not-restorable", `${config} does not exist any more`, {
    hint: `mcp-secrets restore --config '${config}' writes it as it was before`,
  });
}

/** What all configs have in common. */
interface Shared {
  readonly context: Context;
  readonly journal: Journal;
  readonly seal: () => Promise<Seal>;
}

async function undoConfig(
  { journal, seal: sealOf }: Shared,
  { config, row, current, migrations, missing }: Restoring,
  options: RestoreOptions,
): Promise<Restored> {
  if (migrations.length === 0) return undoAll([], { current, format: row.format, keyPath: row.keyPath });
  const seal = await sealOf();
  const steps = migrations.map((migration) => ({ migration, original: opened(seal, journal, migration) }));
  const servers = options.server === undefined ? {} : { servers: options.server };
  const [last] = steps;
  try {
    // What is gone is taken to be what migrate left.
    const now = missing && last !== undefined ? row.format.edit(last.original, last.migration.edits) : current;
    return undoAll(steps, { current: now, format: row.format, keyPath: row.keyPath, ...servers });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, `${config}:${error.message}`, {
      hint: "mend the file by hand, then run restore again",
      cause: error,
    });
  }
}

function opened(seal: Seal, journal: Journal, { id }: Migration): Buffer {
  const sealed = journal.sealed(id);
  try {
    return seal.open(sealed);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    // With the right key it opens: what the store has lies behind the same one.
    const otherwise = "mcp-secrets list shows what the store still has: every secret of the config is in it";
    throw new UserError("store-locked", `${journal.backup(id)}: ${error.message}`, {
      hint: wantsKey(error) ? (error.hint ?? otherwise) : otherwise,
      cause: error,
    });
  }
}

async function write(context: Context, journal: Journal, restoring: Restoring, options: RestoreOptions): Promise<void> {
  const { config, row, current, undone, migrations, missing, was } = restoring;
  if (undone === undefined || undone.servers.length === 0) return;
  await renewApprovals(context, restoredWords(row, restoring));
  if (missing) await createConfig(config, undone.bytes, context.files);
  else if (!undone.bytes.equals(current)) await replaceConfig(config, undone.bytes, current, context.files);
  const started = startedIds(row, undone.bytes);
  await withdrawApprovals(context, (approval) => approval.config === config && !started.has(approval.id));
  const open = new Set([...undone.refused.map(({ server }) => server), ...undone.gone]);
  const kept = (server: string) => !undone.servers.includes(server) || open.has(server);
  // Of a copy: its original is still to be restored.
  const closed = was !== undefined && context.files.look(was) !== undefined ? [] : migrations;
  for (const migration of closed) {
    const left = migration.servers.filter(kept);
    await journal.write(left.length === 0 ? { ...migration, state: "restored" } : { ...migration, servers: left });
  }
  appendAudit(context, { event: "restored", outcome: "ok", config });
  if (options.json !== true) context.terminal.out(`restored ${printable(config)}\n`);
}

function show(context: Context, plans: readonly Restoring[]): void {
  if (plans.length === 0) context.terminal.out("nothing to restore\n");
  for (const { config, undone, error, newer, lost, missing, was } of plans) {
    const name = printable(config);
    if (error !== undefined) tell(context, "error", error.message, error.hint);
    if (undone === undefined) continue;
    const how = howText(undone, missing, was);
    context.terminal.out(`${name}: ${undone.servers.length === 0 ? "nothing to restore" : how}\n`);
    for (const server of undone.servers) context.terminal.out(`  ${printable(server)}\n`);
    for (const { server, reason } of undone.refused) {
      tell(
        context,
        "error",
        `${server} stays as it is: ${reason}`,
        `mend the entry in ${name}, then run restore again`,
      );
    }
    for (const server of undone.gone) {
      tell(
        context,
        "warning",
        `${server} is not in ${name} any more`,
        "its secrets are in the store: mcp-secrets list",
      );
    }
    for (const ref of newer)
      tell(context, "warning", `the store has a newer value of ${ref} than the one that comes back`);
    for (const ref of lost) {
      tell(context, "warning", `${ref}, which comes back, leads to nothing`, `mcp-secrets set ${ref} stores it again`);
    }
  }
}

function howText({ exact }: Restored, missing: boolean, was: string | undefined): string {
  const bytes = exact ? "to the exact bytes from before" : "entry by entry: later edits stay";
  if (missing) return `it is gone, and is made again${exact ? " with the exact bytes from before" : ""}`;
  return was === undefined ? bytes : `${bytes}, as migrate found them in ${printable(was)}`;
}

function tell(context: Context, kind: "error" | "warning", text: string, hint?: string): void {
  context.terminal.err(told(kind, text, hint));
}

function list(context: Context, migrations: readonly Migration[], json: boolean): number {
  const rows = migrations.map(({ id, at, config, client, servers }) => ({ id, at, config, client, servers }));
  if (json) context.terminal.out(`${JSON.stringify({ schema: "mcp-secrets/restore/1", migrations: rows }, null, 2)}\n`);
  else if (rows.length === 0) context.terminal.out("nothing to restore\n");
  else {
    const table = rows.map((row) => [row.at, row.config, row.servers.join(", ")]);
    context.terminal.out(formatTable(["WHEN", "CONFIG", "SERVERS"], table));
  }
  return EXIT.ok;
}

function outcomeJson(plans: readonly Restoring[], { dryRun }: RestoreOptions): string {
  const configs = plans.map(({ config, undone, newer, lost, error, was }) => ({
    path: config,
    ...(was === undefined ? {} : { was }),
    status: statusOf(undone, dryRun === true),
    exact: undone?.exact ?? false,
    servers: undone?.servers ?? [],
    gone: undone?.gone ?? [],
    refused: undone?.refused ?? [],
    newer,
    lost,
    ...(error === undefined ? {} : { error: errorJson(error) }),
  }));
  return `${JSON.stringify({ schema: "mcp-secrets/restore/1", configs }, null, 2)}\n`;
}

function statusOf(undone: Restored | undefined, dryRun: boolean): string {
  if (undone === undefined) return "failed";
  if (undone.servers.length === 0) return "nothing";
  return dryRun ? "planned" : "restored";
}
