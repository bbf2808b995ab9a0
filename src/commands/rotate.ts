import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import type { SecretRef } from "../core/ref.ts";
import { EXIT, UserError } from "../errors.ts";
import { clearMarks } from "../rotate/marks.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import { referenceArgument } from "./reference.ts";
import { rotateDue } from "./rotate-due.ts";
import { rotateExposed } from "./rotate-exposed.ts";
import { guideText } from "./rotate-human.ts";
import { isPast } from "./rotate-one.ts";
import { showPlan } from "./rotate-plan.ts";
import { jobOf, readStandings } from "./rotate-standing.ts";
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
  const secrets = words.map((word) => rotatedSecret(world, wholeSecret(word)));
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
  const wide = due === true || exposed === true;
  if (wide === words.length > 0 || (due === true && exposed === true)) {
    throw new UserError("usage", "rotate takes references, or --due, or --exposed", {
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
  const ref = referenceArgument(text);
  if (ref.field === undefined) return ref;
  throw new UserError("usage", "a secret is rotated with all its fields: leave the field out", {
    hint: `mcp-secrets rotate ${wholeName(ref)}`,
  });
}

/** The person's word that what was exposed, or replaced by hand, is dead at its issuer. */
async function retire(world: World, secrets: readonly RotatedSecret[], { json }: RotateOptions): Promise<number> {
  const { context } = world;
  const jobs = (await readStandings(world, secrets)).map(jobOf);
  // Where a rotation waits for it, that is brought to its end, and the vendor is asked where it can be.
  const waiting = jobs.filter(({ phase }) => isPast(phase));
  for (const { secret } of jobs.filter((job) => !waiting.includes(job))) {
    const name = wholeName(secret.ref);
    const marked = await clearMarks(context, secret.ref);
    if (marked) appendAudit(context, { event: "retired", outcome: "ok", refs: [name] });
    if (json !== true)
      context.terminal.out(`${name}: ${marked ? "noted, its old value is dead" : "no old value was in question"}\n`);
  }
  if (waiting.length === 0) return EXIT.ok;
  return workOn(
    world,
    waiting.map((job) => ({ ...job, word: "retired" })),
    { json: json === true, quiet: false },
  );
}

async function guide(world: World, secrets: readonly RotatedSecret[]): Promise<number> {
  const texts = await Promise.all(secrets.map((secret) => guideText(world, secret)));
  world.context.terminal.out(texts.join("\n"));
  return EXIT.ok;
}
