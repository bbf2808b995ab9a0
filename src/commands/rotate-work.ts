import { inParallel } from "../core/parallel.ts";
import { printable } from "../core/table.ts";
import { EXIT, UserError } from "../errors.ts";
import { noteRuns, type RunNote } from "../rotate/runs.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import { askPerson } from "./rotate-human.ts";
import { failedReport, HUMAN, type Job, type Report, rotateOne } from "./rotate-one.ts";
import { detailOf, exitOfAll, exitOfReport, hintsOf, reportJson, reportTable } from "./rotate-report.ts";
import { isResting, jobOf, readStandings } from "./rotate-standing.ts";
import type { World } from "./rotation.ts";
import { underRotationLock } from "./rotation-lock.ts";

export interface Telling {
  readonly json: boolean;
  /** For cron: not a word where nothing happened. */
  readonly quiet: boolean;
}

/**
 * Works on what targets rotate by themselves, a few at a time, so that none stops the others. Returns the exit code of
 * all together.
 */
export async function workOn(world: World, jobs: readonly Job[], telling: Telling): Promise<number> {
  const teller = new Teller(world, telling);
  await teller.work(jobs);
  return teller.end();
}

/**
 * `rotate REF…`: what targets rotate by themselves, then what a person must be asked for. While one is asked, others may
 * rotate.
 * @throws UserError usage where nobody can be asked
 */
export async function rotateNamed(
  world: World,
  secrets: readonly RotatedSecret[],
  telling: Telling,
  word: Pick<Job, "word">,
): Promise<number> {
  const teller = new Teller(world, telling);
  const manual: ManualJob[] = [];
  const begin = async () => {
    const standings = await readStandings(world, secrets);
    const jobs = standings.map((standing) => ({ ...jobOf(standing), ...word, version: standing.version }));
    manual.push(...jobs.filter(isManual));
    await teller.work(jobs.filter((job) => !isManual(job)));
  };
  await unlessLocked(world, secrets, teller, begin);
  for (const job of manual) await rotateManual(world, job, teller);
  return teller.end();
}

/** `work` under the lock; where another run keeps it, that is told of each secret. Returns the exit code. */
export async function locked(
  world: World,
  secrets: readonly RotatedSecret[],
  telling: Telling,
  work: () => Promise<number>,
): Promise<number> {
  const teller = new Teller(world, telling);
  return (await unlessLocked(world, secrets, teller, work)) ?? teller.end();
}

async function unlessLocked<T>(
  { context }: World,
  secrets: readonly RotatedSecret[],
  teller: Teller,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await underRotationLock(context, work);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "locked") throw error;
    for (const secret of secrets) teller.tell(failedReport(secret, error));
    return undefined;
  }
}

/** With the version that the person is asked to replace. */
type ManualJob = Job & { readonly version: number | undefined };

/** A person must give the new value; what was begun goes on without one. */
function isManual({ secret, phase, word, error }: Job): boolean {
  return secret.target === HUMAN && isResting(phase) && word === undefined && error === undefined;
}

async function rotateManual(world: World, job: ManualJob, teller: Teller): Promise<void> {
  const { secret } = job;
  const given = await askPerson(world, secret);
  await unlessLocked(world, [secret], teller, async () => {
    const [standing] = await readStandings(world, [secret]);
    const same = standing !== undefined && isResting(standing.status.phase) && standing.version === job.version;
    teller.tell(same ? await rotateOne(world, { ...job, given }) : failedReport(secret, changedMeanwhile(secret)));
  });
}

function changedMeanwhile({ ref }: RotatedSecret): UserError {
  return new UserError("secret-exists", `${wholeName(ref)} was replaced while you were asked: it is as it is now`, {
    hint: "mcp-secrets rotate status",
  });
}

/** For `rotate status`: a run that never got so far as to the journal is known here alone. */
function runOf(report: Report, now: number): RunNote {
  const reason = detailOf(report);
  const about = { at: new Date(now).toISOString(), outcome: report.outcome.type, exit: exitOfReport(report) };
  return { ...about, ...(reason !== "" && { reason: printable(reason) }) };
}

/** Of the secret: that another run was at work is no news of it. */
function isNews({ news, outcome }: Report): boolean {
  return news && !(outcome.type === "failed" && outcome.error.code === "locked");
}

/** Tells how it went, each as it comes or all at the end, and notes it. */
class Teller {
  readonly #world: World;
  readonly #telling: Telling;
  readonly #reports: Report[] = [];
  readonly #runs = new Map<string, RunNote>();
  #total = 0;

  constructor(world: World, telling: Telling) {
    this.#world = world;
    this.#telling = telling;
  }

  async work(jobs: readonly Job[]): Promise<void> {
    this.#total = jobs.length;
    await inParallel(jobs, async (job) => this.tell(await rotateOne(this.#world, job)));
  }

  tell(report: Report): void {
    const { json, quiet } = this.#telling;
    this.#reports.push(report);
    if (isNews(report)) this.#runs.set(report.reference, runOf(report, this.#world.context.now()));
    if (json && (!quiet || report.news)) this.#world.context.terminal.out(reportJson(report));
    else showProgress(this.#world, this.#reports, this.#total);
  }

  async end(): Promise<number> {
    if (!this.#telling.json) show(this.#world, this.#reports, this.#telling);
    const { context, settings } = this.#world;
    await noteRuns(context, this.#runs, new Set(settings.secrets.map(({ ref }) => wholeName(ref))));
    return exitOfAll(this.#reports);
  }
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
