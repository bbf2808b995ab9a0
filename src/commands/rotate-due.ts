import type { Context } from "../context.ts";
import { EXIT, UserError } from "../errors.ts";
import { configState, writeDue } from "../rotate/due.ts";
import { BY_LAUNCH } from "../rotate/trigger.ts";
import { showPlan } from "./rotate-plan.ts";
import { jobOf, nextWork, readStandings, type Standing, workOf } from "./rotate-standing.ts";
import { workOn } from "./rotate-work.ts";
import { openWorld, type World } from "./rotation.ts";
import { heldTooLong, underRotationLock } from "./rotation-lock.ts";

export interface DueOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What did not work is looked at again by a launch after that, in milliseconds. */
const RETRY = 600_000;

/** `rotate --due`, for cron, systemd and launches: asks nobody, and says nothing where nothing was done. */
export async function rotateDue(context: Context, options: DueOptions): Promise<number> {
  if (options.dryRun === true) return planDue(context, options);
  try {
    return await underRotationLock(context, () => workOnDue(context, options), 0);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "locked") throw error;
    const hangs = heldTooLong(context);
    if (hangs !== undefined) throw hangs;
    if (context.terminal.errIsTty) context.terminal.err("[mcp-secrets] another run is at work\n");
    return EXIT.ok;
  }
}

async function planDue(context: Context, options: DueOptions): Promise<number> {
  const world = openWorld(context);
  const standings = await readStandings(world, world.settings.secrets);
  return showPlan(context, dueOf(standings, context.now()), options.json === true);
}

async function workOnDue(context: Context, options: DueOptions): Promise<number> {
  const config = configState(context);
  const world = openWorld(context);
  if (world.settings.trigger === "cron" && context.env[BY_LAUNCH] !== undefined) {
    writeDue(context, config, undefined, context.now());
    return EXIT.ok;
  }
  const standings = await readStandings(world, world.settings.secrets);
  const now = context.now();
  const due = dueOf(standings, now);
  const jobs = due.map((standing) => ({ ...jobOf(standing), work: standing.work }));
  const exit = await workOn(world, jobs, { json: options.json === true, quiet: true });
  const rest = standings.filter((standing) => workOf(standing, now) === undefined);
  writeDue(context, config, nextTime(world, rest, due.length > 0 ? now + RETRY : undefined), context.now());
  return exit;
}

function dueOf(standings: readonly Standing[], now: number) {
  return standings.flatMap((standing) => {
    const work = workOf(standing, now);
    return work === undefined ? [] : [{ ...standing, work }];
  });
}

/** When a launch should start the work again; undefined for never. */
function nextTime({ context, settings }: World, rest: readonly Standing[], again: number | undefined) {
  if (settings.trigger === "cron") return undefined;
  const times = rest.flatMap((standing) => nextWork(standing, context.now()) ?? []);
  const next = Math.min(...times, again ?? Infinity);
  return next === Infinity ? undefined : next;
}
