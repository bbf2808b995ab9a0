import { callEnd, ownership } from "./claim.ts";
import { type Run, stillOurs, write } from "./hold.ts";
import type { Call } from "./state.ts";
import type { Seen } from "./step.ts";

/**
 * A call that makes something goes on when the run that made it is killed: at the issuer, or in a program of the user's.
 * The journal knows by when it is over, and which program makes it; until then nothing is concluded from what works.
 */

/** From the program's time-out until its group is gone, and for what is on its way to the issuer. Milliseconds. */
const GRACE = 3_000;
/** Longer is not waited: another run comes. Milliseconds. */
const PATIENCE = 60_000;

/** The call that is about to be made. */
export function callFrom({ options }: Pick<Run, "options">, attempt: number): Call {
  return { attempt, until: callEnd(options) + GRACE };
}

/** True where the journal knows of the call that is about to be made. */
export function isNoted({ journal, options }: Run): boolean {
  const { attempt, call } = journal.state;
  return call?.attempt === attempt && callEnd(options) <= call.until;
}

/** @throws LostClaim, UserError of the store: the call is not made then */
export async function noteCall(run: Run): Promise<void> {
  await noteAs(run, callFrom(run, run.journal.state.attempt));
}

/** @throws as `noteCall` */
export async function noteProgram(run: Run, pid: number): Promise<void> {
  const { call = callFrom(run, run.journal.state.attempt) } = run.journal.state;
  await noteAs(run, { ...call, program: run.options.owner(pid) });
}

/** Surely nothing was made: the next run need not wait. Written with what is written next. */
export function forgetCall(run: Run): void {
  const { call: _over, ...state } = run.journal.state;
  run.journal = { ...run.journal, state };
}

async function noteAs(run: Run, call: Call): Promise<void> {
  const { journal, options } = run;
  await write(run, { ...journal, state: { ...journal.state, ...ownership(options), call } });
}

/** Waits until the call is over by the clock. A program that still runs then, against its time-out, is left to a person. */
export async function waitOut(run: Run): Promise<Seen> {
  const { options, journal } = run;
  const { until = 0, program } = journal.state.call ?? {};
  await stillOurs(run);
  const left = until - options.now();
  if (left > 0 && left <= PATIENCE) await options.sleep(left);
  if (options.now() < until) return notOver(`it may be carried out until ${new Date(until).toISOString()}`);
  if (program === undefined || options.stateOf(program) !== "alive") return { type: "done", what: "waited" };
  return notOver(`process ${program.pid} still makes it`, `ps -p ${program.pid}, and end it`);
}

function notOver(why: string, hint?: string): Seen {
  const reason = `an earlier request for a new value is not over: ${why}`;
  return { type: "failed", what: "waited", how: "unreachable", words: { reason, hint } };
}
