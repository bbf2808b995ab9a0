import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import type { SecretRef } from "../core/ref.ts";
import { EXIT, UserError } from "../errors.ts";
import { clearMarks } from "../rotate/marks.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import { readExposed } from "./exposures.ts";
import { secretArgument } from "./reference.ts";
import { rotateDue } from "./rotate-due.ts";
import { rotateExposed } from "./rotate-exposed.ts";
import { guideText } from "./rotate-human.ts";
import { HUMAN, isPast } from "./rotate-one.ts";
import { showPlan } from "./rotate-plan.ts";
import { jobOf, readStandings, type Standing } from "./rotate-standing.ts";
import { locked, rotateNamed, type Telling, workOn } from "./rotate-work.ts";
import { openWorld, rotatedSecret, type World } from "./rotation.ts";

export interface RotateOptions {
  /** What the schedule says, and what was begun and not ended. */
  readonly due?: boolean;
  /** What was in plaintext. */
  readonly exposed?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  /** What a person does, instead of doing anything. */
  readonly guide?: boolean;
  /** A person's word that the old value is dead. */
  readonly retired?: boolean;
  /** A person's word that what was stuck is mended. */
  readonly settle?: boolean;
}

/** `rotate [REF…]`. Returns the exit code. */
export async function runRotate(context: Context, words: readonly string[], options: RotateOptions): Promise<number> {
  checkUsage(words, options);
  if (options.due === true) return rotateDue(context, options);
  const world = openWorld(context);
  if (options.exposed === true) return rotateExposed(world, options);
  if (words.length === 0) return guide(world, await personsSecrets(world));
  const names = new Map(words.map((word) => [wholeName(wholeSecret(word)), wholeSecret(word)]));
  const secrets = [...names.values()].map((ref) => rotatedSecret(world, ref));
  if (options.retired === true) {
    return locked(world, secrets, tellingOf(options), () => retire(world, secrets, options));
  }
  if (options.guide === true) return guide(world, secrets);
  if (options.dryRun === true) {
    return showPlan(context, await readStandings(world, secrets), options.json === true);
  }
  const word = options.settle === true ? ({ word: "settle" } as const) : {};
  return rotateNamed(world, secrets, tellingOf(options), word);
}

function tellingOf({ json }: RotateOptions): Telling {
  return { json: json === true, quiet: false };
}

function checkUsage(words: readonly string[], options: RotateOptions): void {
  const { due, exposed, guide: guided, retired, settle } = options;
  // What a person does for all of them is asked for without naming any.
  const wide = due === true || exposed === true || (guided === true && words.length === 0);
  if (wide === words.length > 0 || (due === true && exposed === true)) {
    throw new UserError("usage", "rotate takes references, or --due, --exposed or --guide", {
      hint: "mcp-secrets rotate status lists what there is",
    });
  }
  const verbs = [guided, retired, settle].filter((one) => one === true).length;
  if (verbs > 1 || (verbs > 0 && (due === true || (exposed === true && guided !== true)))) {
    throw new UserError(
      "usage",
      "--guide, --retired and --settle are about references that are named, and one at a time",
      {
        hint: "mcp-secrets rotate status lists them",
      },
    );
  }
}

function wholeSecret(text: string): SecretRef {
  const ref = secretArgument(text);
  if (ref.field === undefined) return ref;
  throw new UserError("usage", "a secret is rotated with all its fields: leave the field out", {
    hint: `mcp-secrets rotate ${wholeName(ref)}`,
  });
}

/** The person's word that what was exposed, or replaced by hand, is dead at its issuer. */
async function retire(world: World, secrets: readonly RotatedSecret[], { json }: RotateOptions): Promise<number> {
  const standings = await readStandings(world, secrets);
  // Where a rotation waits for it, that is brought to its end, and the vendor is asked where it can be.
  const isWaiting = ({ status }: Standing) => isPast(status.phase);
  const others = standings.filter((standing) => !isWaiting(standing));
  await refuseCurrent(world, others);
  for (const { secret } of others) await noteRetired(world, secret, json === true);
  const waiting = standings.filter(isWaiting).map(jobOf);
  if (waiting.length === 0) return EXIT.ok;
  return workOn(
    world,
    waiting.map((job) => ({ ...job, word: "retired" })),
    { json: json === true, quiet: false },
  );
}

/** A word about a value that the store still gives is a mistake: before anything is noted. */
async function refuseCurrent(world: World, standings: readonly Standing[]): Promise<void> {
  const marks = await readExposed(world);
  for (const { secret, error, isMissing } of standings) {
    // Of a secret that is gone nothing is given any more; a value that a rotation has left is not the current one.
    if (isMissing === true) continue;
    if (error !== undefined) throw error;
    const name = wholeName(secret.ref);
    const current = marks.find(
      (one) => wholeName(one.ref) === name && one.state === "exposed" && one.ending === undefined,
    );
    if (current === undefined) continue;
    throw new UserError("refused", `the current value of ${current.reference} is the one that was in plaintext`, {
      hint: `mcp-secrets rotate ${name} replaces it`,
    });
  }
}

async function noteRetired({ context }: World, { ref, target }: RotatedSecret, json: boolean): Promise<void> {
  const reference = wholeName(ref);
  const marked = await clearMarks(context, ref);
  if (marked) appendAudit(context, { event: "retired", outcome: "ok", refs: [reference] });
  if (json) {
    const outcome = marked ? "retired" : "notDue";
    const line = { schema: "mcp-secrets/rotate/1", reference, target, exit: EXIT.ok, outcome };
    context.terminal.out(`${JSON.stringify(line)}\n`);
  } else {
    context.terminal.out(`${reference}: ${marked ? "noted, its old value is dead" : "no old value was in question"}\n`);
  }
}

/** What a person rotates: by the settings, and what was in plaintext and has none. */
async function personsSecrets(world: World): Promise<readonly RotatedSecret[]> {
  const marked = (await readExposed(world)).map(({ ref }) => rotatedSecret(world, ref));
  const all = [...world.settings.secrets, ...marked].filter(({ target }) => target === HUMAN);
  return [...new Map(all.map((secret) => [wholeName(secret.ref), secret])).values()];
}

async function guide(world: World, secrets: readonly RotatedSecret[]): Promise<number> {
  if (secrets.length === 0) world.context.terminal.out("no secret is known that a person rotates\n");
  const texts = await Promise.all(secrets.map((secret) => guideText(world, secret)));
  world.context.terminal.out(texts.join("\n"));
  return EXIT.ok;
}
