import { inParallel } from "../core/parallel.ts";
import { UserError } from "../errors.ts";
import { readRotation } from "../rotate/engine.ts";
import { CLOCK_TOLERANCE, retryTime, type RotationStatus } from "../rotate/outcome.ts";
import { dueSlot, nextDue } from "../rotate/schedule.ts";
import { readRuns, type RunNote } from "../rotate/runs.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import type { Phase } from "../rotate/state.ts";
import type { NativeTarget } from "../rotate/target.ts";
import { HUMAN, type Job } from "./rotate-one.ts";
import { chanceOf, noSecret, openTarget, type World } from "./rotation.ts";

/** Where one secret stands, as its store tells it. Times are milliseconds since the epoch. */
export interface Standing {
  readonly secret: RotatedSecret;
  readonly status: RotationStatus;
  /** When its value was made; undefined where the store does not tell. */
  readonly madeAt?: number;
  readonly version?: number;
  /** True where the store has no such secret. */
  readonly isMissing?: true;
  /** How the last run of this machine ended for it. */
  readonly run?: RunNote;
  /** Why nothing can be told: the rest is then empty. */
  readonly error?: UserError;
}

const READ_TIME = 10_000;

export async function readStandings(world: World, secrets: readonly RotatedSecret[]): Promise<readonly Standing[]> {
  const runs = readRuns(world.context);
  return inParallel(secrets, async (secret) => {
    const run = runs.get(wholeName(secret.ref));
    return { ...(await readStanding(world, secret)), ...(run && { run }) };
  });
}

async function readStanding(world: World, secret: RotatedSecret): Promise<Standing> {
  try {
    // Opened, so that its settings are read as strictly as when it is due.
    const target = await openTarget(world, secret);
    return target.kind === "native" ? await nativeStanding(world, secret, target) : await journalled(world, secret);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { secret, status: { phase: "none" }, error };
  }
}

async function journalled(world: World, secret: RotatedSecret): Promise<Standing> {
  const { context, openStore } = world;
  const provider = await openStore(secret.ref.store);
  const status = await readRotation(secret.ref, { provider, now: context.now });
  const summary = await provider.describe?.(secret.ref.path);
  if (summary === undefined && provider.describe !== undefined) return missing(world, secret, status);
  if (summary === undefined) return { secret, status };
  // A secret that was moved to another store is as old as it was.
  const madeAt = status.made?.version === summary.version ? status.made.at : summary.updatedAt;
  return { secret, status, madeAt, version: summary.version };
}

/**
 * Of a secret that the settings name it is an error; a mark may be of one that was removed. What was begun goes on, and
 * tells by itself what is wrong.
 */
function missing({ settings }: World, secret: RotatedSecret, status: RotationStatus): Standing {
  const standing = { secret, status, isMissing: true } as const;
  if (!settings.secrets.includes(secret) || !isResting(status.phase)) return standing;
  return { ...standing, error: noSecret(secret.ref) };
}

/** The store's own record is the journal. */
async function nativeStanding({ context }: World, secret: RotatedSecret, target: NativeTarget): Promise<Standing> {
  const found = await target.status({ deadline: context.now() + READ_TIME });
  switch (found.type) {
    case "idle":
      return {
        secret,
        status: { phase: "idle" },
        ...(found.rotatedAt === undefined ? {} : { madeAt: found.rotatedAt }),
      };
    case "running":
      return { secret, status: { phase: "setting" } };
    case "stuck":
      return { secret, status: { phase: "stuck", problem: { reason: found.what, check: found.hint } } };
  }
}

/** Nothing was made yet that somebody would have to go on with. */
export function isResting(phase: Phase | "none" | "damaged"): boolean {
  return phase === "none" || phase === "idle" || phase === "claimed";
}

/** The secret as something to work on, by hand. */
export function jobOf({ secret, status, error }: Standing): Job {
  return { secret, phase: status.phase, ...(error === undefined ? {} : { error }) };
}

/** What is to be done for a secret: its slot is begun, or the rotation with that id is gone on with. */
export interface Work {
  readonly slot?: string;
  readonly resume?: string;
}

/** What `--due` does now; undefined for nothing. */
export function workOf({ secret, status, madeAt, error }: Standing, now: number): Work | undefined {
  if (error !== undefined) return {};
  if (!isResting(status.phase)) return status.id === undefined ? {} : { resume: status.id };
  if (secret.target === HUMAN || secret.maxAge === undefined || madeAt === undefined) return undefined;
  if (retryTime(status.last, now) > now) return undefined;
  const slot = dueSlot(timingOf(secret, secret.maxAge), madeAt, now, chanceOf(secret.ref));
  return slot === undefined ? undefined : { slot: slot.id };
}

/** When there is something to do for it next; undefined where never, or not by us. */
export function nextWork({ secret, status, madeAt }: Standing, now: number): number | undefined {
  if (status.phase === "stuck" || status.phase === "damaged") return undefined;
  if (status.phase === "draining" && status.until !== undefined) return status.until;
  if (!isResting(status.phase)) return Math.max(status.deadline ?? now, now);
  if (secret.maxAge === undefined || madeAt === undefined) return undefined;
  const next = nextDue(timingOf(secret, secret.maxAge), madeAt, now, chanceOf(secret.ref));
  return Math.max(next, retryTime(status.last, now));
}

/**
 * A value that is dated in the future was made while a clock was wrong: its slot is that far away, and nothing here can
 * tell how old it is.
 */
export function isPostdated({ secret, status, madeAt = 0 }: Standing, now: number): boolean {
  return secret.maxAge !== undefined && isResting(status.phase) && madeAt > now + CLOCK_TOLERANCE;
}

function timingOf({ window }: RotatedSecret, maxAge: number) {
  return window === undefined ? { maxAge } : { maxAge, window };
}
