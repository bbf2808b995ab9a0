import type { Context } from "../context.ts";
import { UserError } from "../errors.ts";

const WITHOUT_ASKING = "run the same command with --yes, or with --dry-run to see what it would do";

/**
 * True where the user says yes, or said `--yes`. `hint` is what to do where nobody can be asked; the usual one is for
 * commands with `--dry-run`.
 * @throws UserError usage where nobody can be asked
 */
export async function confirm(
  context: Context,
  options: { yes?: boolean },
  question: string,
  hint = WITHOUT_ASKING,
): Promise<boolean> {
  if (options.yes === true) return true;
  if (!context.terminal.inIsTty) {
    throw new UserError("usage", "nobody can be asked here: stdin is not a terminal", { hint });
  }
  const answer = await context.terminal.ask(question);
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}
