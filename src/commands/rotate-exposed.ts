import { formatTable } from "../core/table.ts";
import { EXIT } from "../errors.ts";
import { type RotatedSecret, wholeName } from "../rotate/settings.ts";
import { type Exposed, readExposed, riskText } from "./exposures.ts";
import { guideText } from "./rotate-human.ts";
import { HUMAN } from "./rotate-one.ts";
import { jobOf, readStandings } from "./rotate-standing.ts";
import { locked, type Telling, workOn } from "./rotate-work.ts";
import { rotatedSecret, type World } from "./rotation.ts";

export interface ExposedOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly guide?: boolean;
}

/**
 * `rotate --exposed`: rotates what was in plaintext, the worst first, where a target can; for the rest it tells what a
 * person does. Ends with 1 while anything is left.
 */
export async function rotateExposed(world: World, options: ExposedOptions): Promise<number> {
  const exposed = (await readExposed(world)).filter(({ state }) => state === "exposed");
  const secrets = secretsOf(world, exposed);
  if (options.guide === true) return guide(world, secrets);
  if (options.dryRun === true || exposed.length === 0) return list(world, exposed, options.json === true);
  const automatic = secrets.filter(({ target }) => target !== HUMAN);
  const telling = { json: options.json === true, quiet: false };
  const exit = await locked(world, automatic, telling, () => rotateAll(world, automatic, telling));
  // What a person does, and what a rotation left: beside those that failed, which are told already.
  const left = (await readExposed(world)).filter(
    (one) => one.state === "exposed" && (exit === EXIT.ok || isLeft(world, one)),
  );
  if (left.length === 0) return exit;
  const told = list(world, left, options.json === true, leftHow);
  return exit === EXIT.ok ? told : exit;
}

function isLeft(world: World, { ref, ending }: Exposed): boolean {
  return ending === "turn" || rotatedSecret(world, ref).target === HUMAN;
}

async function rotateAll(world: World, secrets: readonly RotatedSecret[], telling: Telling): Promise<number> {
  if (secrets.length === 0) return EXIT.ok;
  const jobs = (await readStandings(world, secrets)).map(jobOf);
  return workOn(world, jobs, telling);
}

/** Each secret once, in the order of its worst field. */
function secretsOf(world: World, exposed: readonly Exposed[]): RotatedSecret[] {
  const byName = new Map(exposed.map(({ ref }) => [wholeName(ref), rotatedSecret(world, ref)]));
  return [...byName.values()];
}

async function guide(world: World, secrets: readonly RotatedSecret[]): Promise<number> {
  for (const secret of secrets) world.context.terminal.out(`${await guideText(world, secret)}\n`);
  return EXIT.ok;
}

function list(world: World, exposed: readonly Exposed[], json: boolean, how = howOf): number {
  const { terminal } = world.context;
  if (json) for (const one of exposed) terminal.out(lineOf(world, one));
  else if (exposed.length === 0) terminal.out("nothing is known to have been in plaintext\n");
  else
    terminal.out(
      formatTable(
        ["REFERENCE", "WHERE", "CONFIG", "SINCE", "HOW"],
        exposed.map((one) => rowOf(one, how(world, one))),
      ),
    );
  return exposed.length === 0 ? EXIT.ok : EXIT.findings;
}

function rowOf(one: Exposed, how: string): string[] {
  const [first] = one.places;
  return [one.reference, riskText(one), first?.config ?? "", one.since.slice(0, 10), how];
}

function howOf(world: World, { ref, ending }: Exposed): string {
  const { target } = rotatedSecret(world, ref);
  if (ending === "turn") return `its user kept it: once more, mcp-secrets rotate ${wholeName(ref)}`;
  return target === HUMAN ? `by hand: mcp-secrets rotate ${wholeName(ref)}` : target;
}

/** Of what was rotated and is exposed all the same: a target leaves what is not its business as it is. */
function leftHow(world: World, one: Exposed): string {
  const { target } = rotatedSecret(world, one.ref);
  const isLeftByTarget = target !== HUMAN && one.ending === undefined;
  return isLeftByTarget ? `${target} has not replaced it` : howOf(world, one);
}

function lineOf(world: World, { reference, ref, risk, since, places }: Exposed): string {
  const { target } = rotatedSecret(world, ref);
  const about = { reference, target, exit: EXIT.findings, outcome: "exposed", risk, since, places };
  return `${JSON.stringify({ schema: "mcp-secrets/rotate/1", ...about })}\n`;
}
