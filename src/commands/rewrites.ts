import type { Context } from "../context.ts";
import { formatRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { checkWritable } from "../migrate/apply.ts";
import { secretOf } from "../migrate/move.ts";
import { type ConfigPlan, type Plan, planOf } from "../migrate/plan.ts";
import type { ReadConfig } from "../migrate/read.ts";
import type { Relocation } from "../migrate/relocate.ts";
import type { Moves } from "./move.ts";

/** What becomes of the configs of a plan, by path. */
export interface Rewrites {
  /** The bytes that they will hold. */
  readonly rewritten: ReadonlyMap<string, Buffer>;
  /** Why they could not be written: nothing of theirs is stored. */
  readonly refused: ReadonlyMap<string, UserError>;
}

export function rewritesOf({ files }: Context, plans: readonly ConfigPlan[], configs: readonly ReadConfig[]): Rewrites {
  const rewritten = new Map<string, Buffer>();
  const refused = new Map<string, UserError>();
  for (const { path, edits } of plans) {
    const read = configs.find(({ place }) => place.path === path);
    if (read === undefined || edits.length === 0) continue;
    try {
      const bytes = read.place.row.format.edit(read.bytes, edits);
      checkWritable(path, bytes.length, files);
      rewritten.set(path, bytes);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refused.set(path, error);
    }
  }
  return { rewritten, refused };
}

/** What of a plan is carried out, and of its moves between stores, where some configs are refused. */
export function withoutRefused<Work extends { readonly plan: Plan; readonly moves: Moves }>(
  work: Work,
  refused: ReadonlyMap<string, UserError>,
): Work {
  if (refused.size === 0) return work;
  const plan = planOf(
    work.plan.configs.filter(({ path }) => !refused.has(path)),
    work.plan.secrets,
  );
  const used = new Set(
    plan.configs.flatMap(({ findings, moves = [] }) => [
      ...findings.flatMap(({ reference }) => (reference === undefined ? [] : [secretOf(reference)])),
      ...moves.flatMap(({ to }) => (to === undefined ? [] : [secretOf(to)])),
    ]),
  );
  const isUsed = ({ to }: Relocation) => used.has(formatRef(to));
  const [relocations, rotated] = [work.moves.relocations.filter(isUsed), work.moves.rotated.filter(isUsed)];
  return { ...work, plan, moves: { ...work.moves, relocations, rotated } };
}
