import { join } from "node:path";
import type { Context } from "../context.ts";
import { formatTable, printable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { type ApprovalBook, readApprovals } from "../launch/approvals.ts";
import { unsafeFolders } from "../launch/home.ts";
import { installLauncher } from "../launch/install.ts";
import { settleJournal } from "../migrate/apply.ts";
import { Journal } from "../migrate/journal.ts";
import { unwrap } from "../migrate/wrapper.ts";
import { configuredStores } from "../stores.ts";
import { approvalChecks } from "./approval-checks.ts";
import { type Check, checked, problem, readOr } from "./check.ts";
import { configChecks, migratedServers } from "./entry-checks.ts";
import { type Gathered, gather } from "./gather.ts";
import { homeChecks, launcherChecks, mendModes } from "./home-checks.ts";
import { idHomes } from "./id-homes.ts";
import { journalChecks } from "./journal-checks.ts";
import { mendRecipients, recipientChecks } from "./recipient-checks.ts";
import { rotationChecks } from "./rotation-checks.ts";
import { StoreView } from "./store-checks.ts";

export interface DoctorOptions {
  readonly fix?: boolean;
  readonly json?: boolean;
}

const NO_APPROVALS: ApprovalBook = { size: 0, all: [], problem: undefined, changesOf: () => undefined };

/** `doctor`: what is wrong and the next command. Returns 1 where there is a problem. */
export async function runDoctor(context: Context, options: DoctorOptions): Promise<number> {
  const mended = options.fix === true ? await checked("--fix", () => fix(context)) : [];
  const checks = [...mended, ...(await allChecks(context))];
  if (options.json === true) {
    context.terminal.out(`${JSON.stringify({ schema: "mcp-secrets/doctor/1", checks }, null, 2)}\n`);
  } else {
    show(context, checks);
  }
  return checks.some(({ state }) => state === "problem") ? EXIT.findings : EXIT.ok;
}

/** Everything is read once: there may be thousands of entries, references and records. */
async function allChecks(context: Context): Promise<Check[]> {
  const { files, home } = context;
  const checks: Check[] = [];
  const journal = new Journal(files, home);
  const migrated = migratedServers(readOr([], "journal", checks, () => journal.read().migrations));
  const approvals = readOr(NO_APPROVALS, "approvals", checks, () => readApprovals(context));
  const { configs, failures, gone } = gatherAll(context, [...migrated.keys()]);
  const stores = new StoreView(context);
  const world = { context, approvals, stores, migrated, homeOf: idHomes(context, approvals.all) };
  checks.push(...(await checked(home, () => homeChecks(context))));
  checks.push(...approvalChecks(approvals, gone));
  checks.push(...(await checked("launcher", () => launcherChecks(context, isStarted(configs, approvals)))));
  for (const { name } of await configuredStores(context)) {
    checks.push(...(await checked(`store ${name}`, () => stores.checks(name))));
  }
  checks.push(...(await checked("recipients", () => recipientChecks(context, journal))));
  checks.push(...(await checked("journal", () => journalChecks(context, journal))));
  checks.push(...(await checked("rotation", () => rotationChecks(context))));
  checks.push(...failures.map(({ error }) => problem(error.message, "the config cannot be read", error.hint)));
  for (const read of configs) checks.push(...(await checked(read.place.path, () => configChecks(world, read))));
  return checks;
}

/** True where something starts through the launcher. */
function isStarted(configs: Gathered["configs"], approvals: ApprovalBook): boolean {
  if (approvals.size > 0) return true;
  return configs.some(({ input }) => input.entries.some(({ entry }) => unwrap(entry) !== undefined));
}

interface GatheredAll extends Gathered {
  /** Configs that are there no more. */
  readonly gone: readonly string[];
}

/** The configs of known clients, and those that migrate was pointed at: `rewritten`, links followed. */
function gatherAll(context: Context, rewritten: readonly string[]): GatheredAll {
  const found = gather(context, {});
  const seen = new Set(found.configs.map(({ place }) => context.files.realpath(place.path)));
  const gone = rewritten.filter((path) => context.files.look(path) === undefined);
  const more = gather(context, { config: rewritten.filter((path) => !seen.has(path) && !gone.includes(path)) });
  return { configs: [...found.configs, ...more.configs], failures: [...found.failures, ...more.failures], gone };
}

/** Nothing is written into a folder that another user owns: what is wrong with it is told by the checks. */
async function fix(context: Context): Promise<readonly Check[]> {
  const { files, home } = context;
  mendModes(context);
  if (unsafeFolders(context).length > 0) return [];
  const journal = new Journal(files, home);
  const { configs } = gatherAll(context, [...migratedServers(journal.list()).keys()]);
  const started = isStarted(configs, readApprovals(context));
  if (!started && files.look(home) === undefined) return [];
  await context.lock(join(home, "journal", "migrate.lock"), async () => {
    await settleJournal(files, journal);
    if (started) await installLauncher(context, { check: true });
    await mendRecipients(context, journal);
  });
  return [];
}

function show(context: Context, checks: readonly Check[]): void {
  const rows = checks.map(({ about, state, detail }) => [state, about, detail]);
  context.terminal.out(formatTable(["STATE", "ABOUT", "WHAT"], rows));
  for (const hint of new Set(checks.flatMap((check) => check.hint ?? []))) {
    context.terminal.err(`[mcp-secrets] hint: ${printable(hint)}\n`);
  }
}
