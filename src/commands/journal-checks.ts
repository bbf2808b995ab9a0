import type { Context } from "../context.ts";
import { UserError } from "../errors.ts";
import { isUnsettled } from "../migrate/apply.ts";
import { digest, type Journal, type Migration } from "../migrate/journal.ts";
import { wantsKey } from "../core/seal.ts";
import { openSeal } from "../stores.ts";
import { type Check, checked, problem } from "./check.ts";

/** Damaged records, work that was cut short, and backups that would not open when they are needed. */
export async function journalChecks(context: Context, journal: Journal): Promise<Check[]> {
  const { migrations, problems } = journal.read();
  const open = migrations.filter(({ state }) => state !== "restored");
  const checks = problems.map((text) => problem("journal", text, "put your copy of that file back, or remove it"));
  if (isUnsettled(context.files, journal)) {
    checks.push(problem("journal", "a migrate or a restore was cut short", "mcp-secrets doctor --fix"));
  }
  return open.length === 0
    ? checks
    : [...checks, ...(await checked("backups", () => backupChecks(context, journal, open)))];
}

async function backupChecks(context: Context, journal: Journal, open: readonly Migration[]): Promise<Check[]> {
  const seal = await openSeal(context);
  return open.flatMap(({ id, config, before }) => {
    const file = journal.backup(id);
    const wrong = problemOf(() => seal.open(journal.sealed(id)), before, `put your copy of ${file} back`);
    if (wrong === undefined) return [];
    return [problem(config, `restore cannot undo it: ${wrong.what}: ${file}`, wrong.hint)];
  });
}

/** `hint` is for a backup that is damaged or gone: where only the key is, nothing is wrong with the backup. */
function problemOf(open: () => Buffer, before: string, hint: string): { what: string; hint: string } | undefined {
  try {
    return digest(open()) === before ? undefined : { what: "the backup is of another file", hint };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { what: error.message, hint: wantsKey(error) ? (error.hint ?? hint) : hint };
  }
}
