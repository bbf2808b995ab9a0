import { join } from "node:path";
import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import { formatTable, printable } from "../core/table.ts";
import { EXIT, UserError } from "../errors.ts";
import { replaceConfig, settleJournal } from "../migrate/apply.ts";
import { Journal, type Migration } from "../migrate/journal.ts";
import { undo } from "../migrate/restore.ts";
import { placeOf } from "../clients/locate.ts";
import { confirm } from "./confirm.ts";
import { openSeal } from "../stores.ts";

export interface RestoreOptions {
  readonly config?: readonly string[];
  readonly server?: readonly string[];
  readonly list?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** What undoing the migrations of one config comes to. */
interface Restoring {
  readonly config: string;
  readonly current: Buffer;
  readonly bytes: Buffer;
  readonly exact: boolean;
  readonly servers: readonly string[];
  readonly refused: readonly { readonly server: string; readonly reason: string }[];
  readonly migrations: readonly Migration[];
}

/** `restore`: back to the exact bytes, or a merge that keeps what was edited since. Returns the exit code. */
export async function runRestore(context: Context, options: RestoreOptions): Promise<number> {
  const journal = new Journal(context.files, context.home);
  const migrations = selected(context, journal.list(), options.config);
  if (options.list === true) return list(context, migrations, options.json === true);
  const plans = await plan(context, journal, migrations, options);
  if (options.json !== true) show(context, plans);
  const work = plans.some(({ servers }) => servers.length > 0);
  if (work && options.dryRun !== true) {
    const asked = await confirm(context, options, "write these configs back, with their secrets in plaintext? [y/N] ");
    if (!asked) return EXIT.ok;
    await context.lock(join(context.home, "journal", "migrate.lock"), async () => {
      await settleJournal(context.files, journal);
      for (const restoring of plans) await write(context, journal, restoring, options);
    });
  }
  if (options.json === true) context.terminal.out(outcomeJson(plans, options));
  return plans.some(({ refused }) => refused.length > 0) ? EXIT.tryLater : EXIT.ok;
}

/** Migrations that were not undone yet, of the configs named, or of all. */
function selected(context: Context, migrations: readonly Migration[], configs?: readonly string[]): Migration[] {
  const open = migrations.filter(({ state }) => state !== "restored");
  if (configs === undefined) return open;
  return configs.flatMap((named) => {
    const real = followed(context, placeOf(context, named).path);
    const found = open.filter(({ config }) => config === real);
    if (found.length > 0) return found;
    throw new UserError("not-restorable", `${named} was not rewritten by migrate, or was restored already`, {
      hint: "mcp-secrets restore --list",
    });
  });
}

function followed(context: Context, path: string): string {
  try {
    return context.files.realpath(path);
  } catch {
    return path;
  }
}

/** Undoes the migrations of each config, the newest first, in memory. */
async function plan(
  context: Context,
  journal: Journal,
  migrations: readonly Migration[],
  options: RestoreOptions,
): Promise<readonly Restoring[]> {
  const configs = [...new Set(migrations.map(({ config }) => config))];
  const seal = await openSeal(context);
  return configs.map((config) => {
    const current = context.files.readIfExists(config);
    if (current === undefined) throw new UserError("config-unreadable", `${config} does not exist any more`);
    const { row } = placeOf(context, config);
    const mine = migrations.filter((migration) => migration.config === config).toReversed();
    let restoring: Restoring = {
      config,
      current,
      bytes: current,
      exact: true,
      servers: [],
      refused: [],
      migrations: mine,
    };
    for (const migration of mine) {
      const original = seal.open(journal.sealed(migration.id));
      const undone = undo({
        migration,
        original,
        current: restoring.bytes,
        format: row.format,
        keyPath: row.keyPath,
        ...(options.server === undefined ? {} : { servers: options.server }),
      });
      restoring = {
        ...restoring,
        bytes: undone.bytes,
        exact: restoring.exact && undone.exact,
        servers: [...new Set([...restoring.servers, ...undone.servers])],
        refused: [...restoring.refused, ...undone.refused],
      };
    }
    return restoring;
  });
}

async function write(context: Context, journal: Journal, restoring: Restoring, options: RestoreOptions): Promise<void> {
  const { config, bytes, current, servers, refused, migrations } = restoring;
  if (servers.length === 0) return;
  await replaceConfig(config, bytes, current, context.files);
  const kept = (server: string) => !servers.includes(server) || refused.some((entry) => entry.server === server);
  for (const migration of migrations) {
    const left = migration.servers.filter(kept);
    await journal.write(left.length === 0 ? { ...migration, state: "restored" } : { ...migration, servers: left });
  }
  appendAudit(context, { event: "restored", outcome: "ok", config });
  if (options.json !== true) context.terminal.out(`restored ${printable(config)}\n`);
}

function show(context: Context, plans: readonly Restoring[]): void {
  const { terminal } = context;
  if (plans.length === 0) terminal.out("nothing to restore\n");
  for (const { config, exact, servers, refused } of plans) {
    const how = exact ? "to the exact bytes from before" : "entry by entry: later edits stay";
    terminal.out(`${printable(config)}: ${servers.length === 0 ? "nothing to restore" : how}\n`);
    for (const server of servers) terminal.out(`  ${printable(server)}\n`);
    for (const { server, reason } of refused) {
      terminal.err(`[mcp-secrets] error: ${printable(server)} stays as it is: ${reason}\n`);
      terminal.err(`[mcp-secrets] hint: mend the entry in ${printable(config)} by hand, then run restore again\n`);
    }
  }
}

function list(context: Context, migrations: readonly Migration[], json: boolean): number {
  const rows = migrations.map(({ id, at, config, client, servers }) => ({ id, at, config, client, servers }));
  if (json) context.terminal.out(`${JSON.stringify({ schema: "mcp-secrets/restore/1", migrations: rows }, null, 2)}\n`);
  else if (rows.length === 0) context.terminal.out("nothing to restore\n");
  else
    context.terminal.out(
      formatTable(
        ["WHEN", "CONFIG", "SERVERS"],
        rows.map((row) => [row.at, row.config, row.servers.join(", ")]),
      ),
    );
  return EXIT.ok;
}

function outcomeJson(plans: readonly Restoring[], { dryRun }: RestoreOptions): string {
  const configs = plans.map(({ config, exact, servers, refused }) => ({
    path: config,
    status: servers.length === 0 ? "nothing" : dryRun === true ? "planned" : "restored",
    exact,
    servers,
    refused,
  }));
  return `${JSON.stringify({ schema: "mcp-secrets/restore/1", configs }, null, 2)}\n`;
}
