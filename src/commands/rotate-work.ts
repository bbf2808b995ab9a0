import { inParallel } from "../core/parallel.ts";
import { printable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { noteRuns, type RunNote } from "../rotate/runs.ts";
import { wholeName } from "../rotate/settings.ts";
import { askPerson } from "./rotate-human.ts";
import { HUMAN, type Job, type Report, rotateOne } from "./rotate-one.ts";
import { detailOf, exitOfAll, exitOfReport, hintsOf, reportJson, reportTable } from "./rotate-report.ts";
import { isResting } from "./rotate-standing.ts";
import type { World } from "./rotation.ts";

export interface Telling {
  readonly json: boolean;
  /** For cron: not a word where nothing happened. */
  readonly quiet: boolean;
}

/**
 * Works on all of them: those that a target rotates by itself a few at a time, so that none stops the others, then
 * those that a person must be asked for. Returns the exit code of all together.
 */
export async function workOn(world: World, jobs: readonly Job[], telling: Telling): Promise<number> {
  const automatic = jobs.filter((job) => !isManual(job));
  const reports: Report[] = [];
  const runs = new Map<string, RunNote>();
  const tell = (report: Report) => {
    reports.push(report);
    if (report.news) runs.set(report.reference, runOf(report, world.context.now()));
    if (telling.json && (!telling.quiet || report.news)) world.context.terminal.out(reportJson(report));
    else showProgress(world, reports, automatic.length);
  };
  await inParallel(automatic, async (job) => tell(await rotateOne(world, job)));
  for (const job of jobs.filter(isManual)) tell(await rotateManual(world, job));
  if (!telling.json) show(world, reports, telling);
  await noteRuns(world.context, runs, new Set(world.settings.secrets.map(({ ref }) => wholeName(ref))));
  return exitOfAll(reports);
}

/** For `rotate status`: a run that never got so far as to the journal is known here alone. */
function runOf(report: Report, now: number): RunNote {
  const reason = detailOf(report);
  const about = { at: new Date(now).toISOString(), outcome: report.outcome.type, exit: exitOfReport(report) };
  return { ...about, ...(reason !== "" && { reason: printable(reason) }) };
}

/** A person must give the new value; what was begun goes on without one. */
function isManual({ secret, phase, word, error }: Job): boolean {
  return secret.target === HUMAN && isResting(phase) && word === undefined && error === undefined;
}

/** @throws UserError usage where nobody can be asked */
async function rotateManual(world: World, job: Job): Promise<Report> {
  return rotateOne(world, { ...job, given: await askPerson(world, job.secret) });
}

function showProgress({ context: { terminal } }: World, reports: readonly Report[], total: number): void {
  if (!terminal.errIsTty || total < 2 || reports.length > total) return;
  const failed = reports.filter((report) => exitOfReport(report) !== EXIT.ok).length;
  const end = reports.length === total ? "\n" : "";
  terminal.err(`\rrotated ${reports.length - failed} of ${total}${failed === 0 ? "" : `, ${failed} not`}${end}`);
}

function show({ context: { terminal } }: World, reports: readonly Report[], { quiet }: Telling): void {
  const told = quiet && !terminal.outIsTty ? reports.filter(({ news }) => news) : reports;
  if (told.length > 0) terminal.out(reportTable(told));
  else if (!quiet || terminal.outIsTty) terminal.out("nothing is due\n");
  for (const hint of hintsOf(told)) terminal.err(`[mcp-secrets] hint: ${hint}\n`);
}
