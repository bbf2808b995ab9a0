import { type ErrorCode, UserError } from "../errors.ts";
import type { Words } from "./step.ts";

/** What goes away by itself: the journal stands as it is, and the next run goes on from it. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "store-unavailable",
  "store-timeout",
  "store-sealed",
  "store-busy",
  "store-answer",
  "locked",
  "target-unreachable",
]);

/** In words, where it goes away by itself. */
export function passing(error: unknown): Words | undefined {
  if (!(error instanceof UserError) || !PASSING.has(error.code)) return undefined;
  return { reason: error.message, hint: error.hint };
}
