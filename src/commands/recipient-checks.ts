import type { Context } from "../context.ts";
import type { Resealer, Seal } from "../core/seal.ts";
import { UserError } from "../errors.ts";
import type { Journal } from "../migrate/journal.ts";
import { openResealer, openSeal } from "../stores.ts";
import { type Check, warning } from "./check.ts";

/** Warns while something is not yet written for just those whom `local/recipients` names, and the identity. */
export async function recipientChecks(context: Context, journal: Journal): Promise<readonly Check[]> {
  const resealer = await openResealer(context);
  if (!resealer.isInUse()) return [];
  const secrets = await resealer.staleSecrets();
  const backups = (await staleBackups(resealer, journal)).length;
  if (secrets + backups === 0) return [];
  const what = `${secrets} files of secrets and ${backups} backups are not written for just the present recipients`;
  const why = "a new key does not open them, one that was taken out does";
  return [{ ...warning("recipients", `${what}: ${why}`), hint: "mcp-secrets doctor --fix" }];
}

/** Writes them again. Under the lock of migrate, which makes backups. */
export async function mendRecipients(context: Context, journal: Journal): Promise<void> {
  const resealer = await openResealer(context);
  if (!resealer.isInUse()) return;
  let whole = await resealer.resealSecrets();
  const seal = await openSeal(context);
  for (const { id, sealed } of await staleBackups(resealer, journal)) {
    const opened = openOrNothing(seal, sealed);
    if (opened === undefined) whole = false;
    else await context.files.writePrivate(journal.backup(id), await seal.close(opened));
  }
  if (whole && !(await resealer.isNoted())) await resealer.note();
}

interface Backup {
  readonly id: string;
  readonly sealed: Buffer;
}

async function staleBackups(resealer: Resealer, journal: Journal): Promise<readonly Backup[]> {
  const isStale = await resealer.staleness();
  return journal.read().migrations.flatMap(({ id }) => {
    const sealed = journal.sealedIfThere(id);
    return sealed !== undefined && isStale(sealed) ? [{ id, sealed }] : [];
  });
}

function openOrNothing(seal: Seal, sealed: Buffer): Buffer | undefined {
  try {
    return seal.open(sealed);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}
