import type { Fields, WholeSecret } from "../core/provider.ts";
import { UserError } from "../errors.ts";
import { type Claimed, callEnd, ownership } from "./claim.ts";
import { type Journal, writeJournal } from "./journal.ts";
import type { Spill } from "./spill.ts";
import type { Tried, Words } from "./step.ts";

/** What this run knows beside the journal; gone with the process. */
export interface Run extends Claimed {
  journal: Journal;
  readonly spill: Spill;
  readonly refused: Tried[];
  mints: number;
  /** The tries up to this one are taken away at the issuer. */
  cleared: number | undefined;
  saidNo: Words | undefined;
  /** Made, and not in the journal yet. */
  made: Fields | undefined;
  /** It is nowhere but in this process. */
  unspilled: boolean;
  /** The candidate, where this run has put it into force, or tried to. */
  inForce: Fields | undefined;
  /** What the secret held when it was looked at. */
  found: WholeSecret | undefined;
}

/** Somebody else has written the journal: it is theirs. */
export class LostClaim extends Error {}

export async function write(run: Run, journal: Journal): Promise<void> {
  const { plan, options } = run;
  try {
    run.journal = await writeJournal({ provider: options.provider, ref: plan.ref }, journal);
  } catch (error) {
    if (error instanceof UserError && error.code === "secret-exists") throw new LostClaim("lost", { cause: error });
    throw error;
  }
  options.progress?.(journal.state.phase);
}

/** Before an effect: a run that was paused for longer than its claim asks first whether it still has it. */
export async function stillOurs(run: Run): Promise<void> {
  const { options, journal } = run;
  if (callEnd(options) <= journal.state.deadline) return;
  await write(run, { ...journal, state: { ...journal.state, ...ownership(options) } });
}
