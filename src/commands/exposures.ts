import { inParallel } from "../core/parallel.ts";
import { parseRef, type SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { isOver, isReplaced, type Mark, readMarks } from "../rotate/marks.ts";
import { type Risk, RISKS, riskOfConfigs, worstRisk } from "../rotate/risk.ts";
import { wholeName } from "../rotate/settings.ts";
import { readStandings } from "./rotate-standing.ts";
import { rotatedSecret, type World } from "./rotation.ts";

/** A value that ought to be dead and may not be. */
export interface Exposed extends Mark {
  /** With the field, where it is not the usual one. */
  readonly reference: string;
  readonly ref: SecretRef;
  readonly risk: Risk;
  /**
   * `exposed`: the store still gives the value that was in plaintext, or a rotation has left it as it was; `replaced`:
   * the old one may still work.
   */
  readonly state: "exposed" | "replaced";
  /** The store has the secret no more. */
  readonly removed: boolean;
}

const RISK_WORDS: Readonly<Record<Risk, string>> = {
  git: "in git history",
  shared: "in a shared folder",
  disk: "on this disk",
};

/** Every mark of a value that may live, exposed ones first and the worst of them first. @throws UserError config-invalid */
export async function readExposed(world: World): Promise<readonly Exposed[]> {
  const marks = await livingMarks(world);
  const current = await versionsOf(
    world,
    marks.map(([reference]) => parseRef(reference)),
  );
  const configs = marks.flatMap(([, { places }]) => places.map(({ config }) => config));
  const risks = await riskOfConfigs(world.context, configs);
  const all = marks.map(([reference, mark]): Exposed => {
    const ref = parseRef(reference);
    const version = current.get(wholeName(ref));
    const removed = version === "removed";
    const isGone = removed || (isReplaced(mark, version) && mark.ending !== "turn");
    const state = isGone ? "replaced" : "exposed";
    return { ...mark, reference, ref, state, removed, risk: worstRisk(mark.places, risks) };
  });
  return all.toSorted((a, b) => rank(a) - rank(b) || (a.reference < b.reference ? -1 : 1));
}

/** Without those whose rotation another machine has brought to its end. */
async function livingMarks(world: World): Promise<readonly (readonly [string, Mark])[]> {
  const marks = [...readMarks(world.context)];
  const living = await inParallel(marks, async ([reference, mark]) => {
    const isDead = mark.ending !== undefined && isOver(mark, await lastVersion(world, parseRef(reference)), "over");
    return isDead ? [] : [[reference, mark] as const];
  });
  return living.flat();
}

/** The version that the last rotation made that is over; undefined where that cannot be told. */
async function lastVersion(world: World, ref: SecretRef): Promise<number | undefined> {
  const [standing] = await readStandings(world, [rotatedSecret(world, ref)]);
  const last = standing?.status.last;
  return last?.result === "rotated" ? last.version : undefined;
}

export function riskText({ risk, places }: Exposed): string {
  return places.length === 0 ? "" : RISK_WORDS[risk];
}

function rank({ state, risk }: Exposed): number {
  return (state === "replaced" ? RISKS.length : 0) + RISKS.indexOf(risk);
}

/** What the stores have now, by the name of the whole secret; what cannot be asked counts as unchanged. */
async function versionsOf(world: World, refs: readonly SecretRef[]): Promise<ReadonlyMap<string, number | "removed">> {
  const secrets = new Map(refs.map((ref) => [wholeName(ref), ref]));
  const versions = await inParallel([...secrets], async ([name, { store, path }]) => {
    try {
      const provider = await world.openStore(store);
      if (provider.describe === undefined) return [];
      return [[name, (await provider.describe(path))?.version ?? "removed"] as const];
    } catch (error) {
      if (error instanceof UserError) return [];
      throw error;
    }
  });
  return new Map(versions.flat());
}
