import type { Context } from "../context.ts";
import { UserError } from "../errors.ts";

/**
 * True where the user says yes, or said `--yes`.
 * @throws UserError usage where nobody can be asked
 */
export async function confirm(context: Context, options: { yes?: boolean }, question: string): Promise<boolean> {
  if (options.yes === true) return true;
  if (!context.terminal.inIsTty) {
    throw new UserError("usage", "nobody can be asked here: stdin is not a terminal", {
      hint: "run the same command with --yes, or with --dry-run to see what it would do",
    });
  }
  const answer = await context.terminal.ask(question);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}
