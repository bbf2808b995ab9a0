import type { Context } from "../context.ts";
import { type Exposed, readExposed, riskText } from "./exposures.ts";
import { type Check, firstOf, ok, problem, warning } from "./check.ts";
import { postdatedHint, retireHint, stuckHint } from "./rotate-report.ts";
import { lastOf } from "./rotate-last.ts";
import { isPostdated, isResting, readStandings, type Standing } from "./rotate-standing.ts";
import { isPersonDue, waitsForPerson } from "./rotate-status.ts";
import { noSecret, openWorld, type World } from "./rotation.ts";
import { formatDuration } from "../core/duration.ts";
import { inParallel } from "../core/parallel.ts";
import type { SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { referencesIn } from "../rotate/references.ts";
import { heldTooLong } from "./rotation-lock.ts";
import { wholeName } from "../rotate/settings.ts";

/** What was in plaintext and is not rotated, what was replaced and may still work, and rotations that do not go on. */
export async function rotationChecks(context: Context): Promise<readonly Check[]> {
  const hangs = heldTooLong(context);
  const held = hangs === undefined ? [] : [problem("rotation", hangs.message, hangs.hint)];
  return [...held, ...(await secretChecks(context, held.length > 0))];
}

async function secretChecks(context: Context, isHeld: boolean): Promise<readonly Check[]> {
  const world = openWorld(context);
  const exposed = await readExposed(world);
  const standings = await readStandings(world, world.settings.secrets);
  const referred = await referenceChecks(world, standings);
  const told = [...standings.flatMap((standing) => standingChecks(standing, context.now())), ...referred];
  const names = new Set(told.map(({ about }) => about));
  const checks = [...markChecks(exposed).filter(({ about }) => !names.has(about)), ...told];
  if (checks.length > 0 || standings.length === 0 || isHeld) return checks;
  return [ok("rotation", `${standings.length} secrets, none overdue and none stuck`)];
}

function markChecks(all: readonly Exposed[]): Check[] {
  const exposed = all.filter(({ state }) => state === "exposed");
  const replaced = all.filter(({ state, ending }) => state === "replaced" && ending === undefined);
  const ending = all.filter((one) => one.state === "replaced" && one.ending === "grace");
  const checks: Check[] = [];
  if (exposed.length > 0) {
    const names = firstOf(exposed.map((one) => [one.reference, riskText(one)].filter((text) => text !== "").join(" ")));
    checks.push(problem("exposed", `in plaintext once, not rotated since: ${names}`, "mcp-secrets rotate --exposed"));
  }
  return [
    ...checks,
    ...replaced.map(({ ref, removed }) => byHand(wholeName(ref), removed ? "removed" : "replaced by hand")),
    ...ending.map(({ reference }) => warning(reference, "in plaintext once; the old value ends with its rotation")),
  ];
}

/** What a target needs and is not there: found now, and not on the day when the secret is due. Each is looked up once. */
async function referenceChecks(world: World, standings: readonly Standing[]): Promise<readonly Check[]> {
  const named = standings
    .filter(({ error }) => error === undefined)
    .flatMap(({ secret }) => referencesIn(secret.settings).map((one) => ({ ...one, name: wholeName(secret.ref) })));
  const refs = new Map(named.map(({ ref }) => [wholeName(ref), ref]));
  const looked = await inParallel([...refs], async ([key, ref]) => [key, await errorOf(world, ref)] as const);
  const errors = new Map(looked);
  return named.flatMap(({ name, member, ref }) => {
    const wrong = errors.get(wholeName(ref));
    return wrong === undefined ? [] : [problem(name, `rotation.${name}.${member}: ${wrong.message}`, wrong.hint)];
  });
}

async function errorOf(world: World, ref: SecretRef): Promise<UserError | undefined> {
  try {
    const provider = await world.openStore(ref.store);
    const found = provider.describe === undefined ? true : await provider.describe(ref.path);
    return found === undefined ? noSecret(ref) : undefined;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

function byHand(name: string, how = "replaced by hand"): Check {
  return { ...warning(name, `${how}: nobody has said that the old value is dead`), hint: retireHint(name) };
}

function standingChecks(standing: Standing, now: number): Check[] {
  const { secret, status, error } = standing;
  const name = wholeName(secret.ref);
  if (error !== undefined) return [problem(name, error.message, error.hint)];
  const { problem: stuck } = status;
  if (stuck !== undefined) {
    return [
      problem(name, `rotation is stuck: ${stuck.reason}`, stuckHint(name, stuck.check, status.phase === "damaged")),
    ];
  }
  if (waitsForPerson(standing)) return [byHand(name)];
  if (isPersonDue(standing, now)) return [problem(name, "older than its settings allow", `mcp-secrets rotate ${name}`)];
  if (isPostdated(standing, now)) return [postdated(standing, name, now)];
  const last = lastOf(standing, now);
  if (last === undefined || last.isGood) return [];
  const times = last.failures === undefined || last.failures < 2 ? "" : ` ${last.failures} times`;
  const what = isResting(status.phase) ? `its last rotation came to nothing${times}` : "its rotation does not go on";
  return [problem(name, `${what}: ${last.reason ?? last.what}`, `mcp-secrets rotate ${name}`)];
}

function postdated({ madeAt = 0 }: Standing, name: string, now: number): Check {
  const ahead = formatDuration(madeAt - now);
  return problem(
    name,
    `its value is dated ${ahead} in the future: it is rotated that much too late`,
    postdatedHint(name),
  );
}
