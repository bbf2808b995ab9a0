import { join, resolve } from "node:path";
import { appendAudit } from "../audit/log.ts";
import { runningClients } from "../clients/running.ts";
import type { Context } from "../context.ts";
import type { Provider, ResolvedSecret } from "../core/provider.ts";
import { formatRef, refName } from "../core/ref.ts";
import type { Seal } from "../core/seal.ts";
import { printable } from "../core/table.ts";
import { told } from "../core/told.ts";
import { EXIT, UserError } from "../errors.ts";
import { listApprovals } from "../launch/approvals.ts";
import { entryCommand, installLauncher, wrongFile } from "../launch/install.ts";
import { applyConfig, isUnsettled, settleJournal } from "../migrate/apply.ts";
import { idsOf } from "../migrate/ids.ts";
import { Journal } from "../migrate/journal.ts";
import { movedSecrets, withMoves } from "../migrate/move.ts";
import { type ConfigPlan, makePlan, type Plan } from "../migrate/plan.ts";
import type { PlannedSecret } from "../migrate/places.ts";
import { knownAfter } from "../migrate/relocate.ts";
import { type ConfigReport, outcomeText, reportJson, reportsOf } from "../migrate/report.ts";
import { storeSecrets } from "../migrate/store.ts";
import { type Exposure, type MarkPlace, markExposed, moveMarks } from "../rotate/marks.ts";
import { confirm } from "./confirm.ts";
import { tellDangling } from "./dangling.ts";
import { type Gathered, gather, type Selection } from "./gather.ts";
import { idHomes } from "./id-homes.ts";
import { showPlan } from "./migrate-plan.ts";
import { finishRotations, mayHaveMovedRotations, movesTogether } from "./move-rotation.ts";
import { copiesLeft, plannedBytes, plannedCopies, tellMoved, tellOld } from "./moved.ts";
import type { OldCopy } from "./old-copies.ts";
import { copyMoves, giveWord, type MoveOptions, type Moves, prepareMoves, rewritingOf, takeWordBack } from "./move.ts";
import { rewritesOf, type Rewrites, withoutRefused } from "./rewrites.ts";
import { offerSample } from "./sample.ts";
import { dropUnused, unusedSecrets } from "./unused-secrets.ts";
import { defaultStore, openSeal, openStore } from "../stores.ts";

/** `store` is the default one where none is named; only one that is named takes secrets from other stores. */
export interface MigrateOptions extends Selection, MoveOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

interface Prepared extends Gathered {
  readonly plan: Plan;
  readonly provider: Provider;
  readonly moves: Moves;
  /** Of what moves between stores, as they will be. */
  readonly copies: readonly OldCopy[];
}

/** How often a plan is made anew because another program changed a config or the store meanwhile. */
const ATTEMPTS = 5;
/** How long the store may take to read everything back, in milliseconds. */
const STORE_DEADLINE = 120_000;
/** How long after the write a running client gets to write its old copy back, before the last look. Milliseconds. */
const LAST_LOOK = 2000;

/** `migrate`: locate, read, detect, plan, show, confirm, store, rewrite. Returns the exit code. */
export async function runMigrate(context: Context, options: MigrateOptions): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const prepared = await prepare(context, options);
    if (nothingFound(prepared, options) && context.terminal.inIsTty) return offerSample(context, runMigrate);
    if (attempt === 1 && options.json !== true) showPlan(context, prepared);
    if (attempt === 1) await tellDangling(context, prepared.plan.configs);
    const work = prepared.plan.configs.some(({ edits }) => edits.length > 0);
    if (!work && options.dryRun !== true) await settle(context, prepared);
    if (!work || options.dryRun === true)
      return finish(context, options, reportsOf(prepared.plan, prepared, "planned"), prepared.copies);
    if (attempt === 1) {
      await warnOfRunning(context, prepared);
      if (!(await confirm(context, options, "move these secrets and rewrite the configs? [y/N] "))) return EXIT.ok;
    }
    try {
      const reports = await write(context, prepared);
      return finish(context, options, reports, copiesLeft(context, reports));
    } catch (error) {
      const again = error instanceof UserError && error.code === "config-changed" && attempt < ATTEMPTS;
      if (!again || options.yes !== true) throw error;
    }
  }
}

function nothingFound({ configs, failures }: Gathered, { config, client, json }: MigrateOptions): boolean {
  const selected = config !== undefined || client !== undefined || json === true;
  return !selected && configs.length === 0 && failures.length === 0;
}

async function prepare(context: Context, options: MigrateOptions): Promise<Prepared> {
  const gathered = gather(context, options);
  const name = options.store ?? (await defaultStore(context));
  const provider = await openStore(context, name);
  const wanted = gathered.configs.some(({ input }) => input.entries.some(({ findings }) => findings.length > 0));
  const homeOf = idHomes(context, listApprovals(context));
  const inputs = gathered.configs.map(({ input, place, document: { entries } }) => {
    const config = context.files.realpath(place.path);
    return { ...input, ids: idsOf({ config, client: place.id, entries }, homeOf) };
  });
  const known = wanted ? ((await provider.readAll?.()) ?? []) : [];
  const launcher = entryCommand(context);
  const planFor = (moves: Moves) => {
    const all = wanted ? [...known, ...knownAfter(moves.relocations)] : [];
    return withMoves(makePlan(inputs, all, { store: name, launcher, folder: provider.folder }), inputs, moves);
  };
  const wished = await prepareMoves(context, options, inputs, name);
  const bytes = () => plannedBytes(context, planFor(wished).configs, gathered.configs);
  const moves = movesTogether(context, wished, bytes);
  const plan = planFor(moves);
  return { ...gathered, provider, moves, plan, copies: plannedCopies(context, plan.configs, gathered.configs) };
}

/** Where there is nothing to do, what an earlier run left is still to be finished, and what it installed to work. */
async function settle(context: Context, { moves }: Prepared): Promise<void> {
  const { files, home } = context;
  const journal = new Journal(files, home);
  const isInstalled = files.look(join(home, "bin")) !== undefined;
  const isBroken = isInstalled && (await wrongFile(context)) !== undefined;
  const isLeft = isUnsettled(files, journal) || mayHaveMovedRotations(context, journal.list());
  if (!isBroken && !isLeft) return;
  await context.lock(lockPath(context), async () => {
    await settleJournal(files, journal);
    await finishRotations(context, journal.list(), moves.ports);
    if (isBroken) await installLauncher(context);
  });
}

/** One rewriting of configs at a time. */
function lockPath({ home }: Context): string {
  return join(home, "journal", "migrate.lock");
}

type Work = Prepared & Pick<Rewrites, "rewritten">;

/** What cannot be written is known first; then every secret is stored, and each config moves, or stays as it is. */
async function write(context: Context, prepared: Prepared): Promise<readonly ConfigReport[]> {
  const { rewritten, refused } = rewritesOf(context, prepared.plan.configs, prepared.configs);
  const work = { ...withoutRefused(prepared, refused), rewritten };
  const planned = reportsOf(prepared.plan, prepared, "planned").map((report): ConfigReport => {
    const error = refused.get(report.path);
    return error === undefined ? report : { ...report, status: "failed", error };
  });
  if (!planned.some(({ status }) => status === "planned")) return planned;
  const reports = await context.lock(lockPath(context), async () => {
    const journal = new Journal(context.files, context.home);
    await settleJournal(context.files, journal);
    await installLauncher(context);
    await copyMoves(context, work.moves);
    await moveMarks(context, work.moves.relocations);
    const done = await rewrite(context, journal, work, planned);
    await finishRotations(context, journal.list(), work.moves.ports);
    return done;
  });
  return lookAgain(context, prepared, reports);
}

async function rewrite(
  context: Context,
  journal: Journal,
  work: Work,
  planned: readonly ConfigReport[],
): Promise<readonly ConfigReport[]> {
  const made: PlannedSecret[] = [];
  try {
    await store(context, work, made);
    const seal = await openSeal(context);
    const done: ConfigReport[] = [];
    for (const report of planned) {
      done.push(report.status === "planned" ? await writeOne(context, { journal, seal }, work, report) : report);
    }
    return done;
  } finally {
    await dropUnused(context, work.provider, unusedSecrets(context, made, work.plan.configs, work.configs));
  }
}

/** `made` gets what is stored now. */
async function store(context: Context, { provider, plan }: Prepared, made: PlannedSecret[]): Promise<void> {
  const request = { deadline: context.now() + STORE_DEADLINE };
  const total = plan.secrets.filter(({ known }) => !known).length;
  let count = 0;
  const readBack = await storeSecrets(provider, plan.secrets, request, (secret, isNew) => {
    count += 1;
    if (isNew) made.push(secret);
    if (context.terminal.errIsTty)
      context.terminal.err(`\rstored ${count} of ${total} secrets${count === total ? "\n" : ""}`);
  });
  await markExposed(context, exposuresOf(context, plan, readBack), context.now());
  if (made.length === 0) return;
  appendAudit(context, { event: "stored", outcome: "ok", refs: made.map(({ ref }) => formatRef(ref)) });
}

/** What was in plaintext counts as known to others until it is rotated, wherever it lies now. */
function exposuresOf({ cwd }: Context, { configs }: Plan, readBack: readonly ResolvedSecret[]): Exposure[] {
  const places = new Map<string, MarkPlace[]>();
  for (const { path, client, findings } of configs) {
    for (const { finding, reference } of findings) {
      if (reference === undefined) continue;
      const place = { config: resolve(cwd, path), client, server: finding.server };
      places.set(refName(reference), [...(places.get(refName(reference)) ?? []), place]);
    }
  }
  return readBack.map(({ ref, version }) => {
    return { ref, ...(version === undefined ? {} : { version }), places: places.get(refName(ref)) ?? [] };
  });
}

async function writeOne(
  context: Context,
  { journal, seal }: { readonly journal: Journal; readonly seal: Seal },
  work: Work,
  report: ConfigReport,
): Promise<ConfigReport> {
  const read = work.configs.find(({ place }) => place.path === report.path);
  const rewritten = work.rewritten.get(report.path);
  if (read === undefined || rewritten === undefined || report.plan === undefined) return report;
  const unapproved: string[] = [];
  const rewriting = rewritingOf(context, report.plan, read);
  try {
    await applyConfig(
      report.plan,
      { bytes: read.bytes, rewritten },
      {
        files: context.files,
        journal,
        seal: seal.close,
        approve: async () => void unapproved.push(...(await giveWord(context, rewriting))),
        now: context.now,
        random: context.random,
      },
    );
    recordMigration(context, report.plan);
    return { ...report, status: "migrated", unapproved };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (context.files.readIfExists(report.path)?.equals(read.bytes) === true) {
      await takeWordBack(context, rewriting);
    }
    if (error.code === "config-changed") throw error;
    return { ...report, status: "failed", error };
  }
}

function recordMigration(context: Context, { path, moves = [] }: ConfigPlan): void {
  appendAudit(context, { event: "migrated", outcome: "ok", config: path });
  const moved = movedSecrets(moves);
  if (moved.length === 0) return;
  const [from, refs] = [moved.map(([source]) => source), moved.map(([, target]) => target)];
  appendAudit(context, { event: "moved", outcome: "ok", config: path, refs, from });
}

async function warnOfRunning(context: Context, { configs }: Prepared): Promise<void> {
  for (const { name } of await running(context, configs)) {
    context.terminal.err(`[mcp-secrets] warning: ${name} is running and may write its old copy of the config back\n`);
    context.terminal.err(`[mcp-secrets] hint: quit ${name} first, and start it again afterwards\n`);
  }
}

function running(context: Context, configs: Gathered["configs"]) {
  const rows = new Set(configs.map(({ place }) => place.row).filter(({ rewritesConfig }) => rewritesConfig));
  return runningClients([...rows], context);
}

/** A client that runs may have put its old copy, with the plaintext, over ours. */
async function lookAgain(
  context: Context,
  { configs }: Prepared,
  reports: readonly ConfigReport[],
): Promise<readonly ConfigReport[]> {
  if ((await running(context, configs)).length === 0) return reports;
  await context.sleep(LAST_LOOK);
  return reports.map((report) => {
    const before = configs.find(({ place }) => place.path === report.path)?.bytes;
    const now = context.files.readIfExists(report.path);
    if (report.status !== "migrated" || before === undefined || now?.equals(before) !== true) return report;
    const error = new UserError("config-changed", `a client wrote its old copy of ${report.path} back`, {
      hint: "quit the client, then run mcp-secrets migrate again",
    });
    return { ...report, status: "failed", error };
  });
}

/** Tells the outcome, warns of what is left, and gives the exit code. */
function finish(
  context: Context,
  options: MigrateOptions,
  reports: readonly ConfigReport[],
  old: readonly OldCopy[],
): number {
  const { terminal } = context;
  const done = reports.filter(({ status }) => status === "migrated");
  if (options.json === true) terminal.out(reportJson("migrate", reports, old.length === 0 ? {} : { old }));
  else for (const report of done) terminal.out(outcomeText(report));
  if (options.json !== true && done.length > 0) tellOld(context, old);
  for (const { path, error, problems, empty, plan } of reports) {
    if (empty === true) terminal.err(`[mcp-secrets] warning: ${printable(path)} has no servers under mcpServers\n`);
    if (error !== undefined) {
      terminal.err(told("error", error.message, error.hint));
    }
    for (const { server, problem } of problems) {
      terminal.err(`[mcp-secrets] error: ${printable(path)}: ${printable(server)} was not looked at: ${problem}\n`);
    }
    const left = plan?.findings.filter((finding) => finding.left !== undefined) ?? [];
    for (const server of new Set(left.map(({ finding }) => finding.server))) {
      terminal.err(`[mcp-secrets] warning: ${printable(server)} keeps its plaintext: ${left[0]?.left ?? ""}\n`);
    }
  }
  tellMoved(context, reports);
  if (done.length > 0) terminal.err(`[mcp-secrets] hint: ${nextStep(done)}\n`);
  const failure = reports.find(({ error }) => error !== undefined)?.error;
  if (failure !== undefined) return failure.exit;
  return reports.some(({ problems }) => problems.length > 0) ? EXIT.findings : EXIT.ok;
}

function nextStep(done: readonly ConfigReport[]): string {
  const plaintext = done.some(({ plan }) => plan?.findings.some(({ reference }) => reference !== undefined));
  const issuers = "; then mcp-secrets rotate --exposed: what was in plaintext counts as known";
  return `restart the client${plaintext ? issuers : ", which has the old references until then"}`;
}
