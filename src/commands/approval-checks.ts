import { shellWord } from "../core/shell.ts";
import type { ApprovalBook } from "../launch/approvals.ts";
import { type Check, firstOf, problem } from "./check.ts";

/** Approvals that do not count, and those that are left of a config which is `gone`. */
export function approvalChecks({ all, problem: wrong }: ApprovalBook, gone: readonly string[]): Check[] {
  const checks = wrong === undefined ? [] : [problem("approvals", wrong.what, wrong.hint)];
  for (const config of gone) {
    const ids = all.filter((approval) => approval.config === config).map(({ id }) => id);
    if (ids.length === 0) continue;
    const word = shellWord(config);
    const hint = `mcp-secrets restore --config ${word}, or to give it up: mcp-secrets approve --withdraw --config ${word}`;
    checks.push(problem(config, `it does not exist any more, and is still approved: ${firstOf(ids)}`, hint));
  }
  return checks;
}
