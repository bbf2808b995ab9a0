import { dirname } from "node:path";
import type { Files } from "../core/files.ts";
import { UserError } from "../errors.ts";
import { movedSecrets } from "./move.ts";
import { digest, type Journal, type Migration, migrationId, newMigration } from "./journal.ts";
import type { ConfigPlan } from "./plan.ts";

/** The world as the rewriting of a config needs it. */
export interface ApplyPorts {
  readonly files: Files;
  readonly journal: Journal;
  /** Encrypts a backup so that a stock `age` opens it. */
  readonly seal: (bytes: Buffer) => Promise<Buffer>;
  /** Gives the word of the user for its entries. */
  readonly approve: () => Promise<void>;
  readonly now: () => number;
  readonly random: () => string;
}

/**
 * Rewrites one config to its plan, from `bytes` to `rewritten`. Its secrets are stored already. The order is what makes it safe: approvals and the
 * encrypted backup are durable before the rename, and anything that fails before the rename leaves the config as it was.
 * @throws UserError config-changed where the file is no longer `bytes`; cannot-write where the system refuses
 */
export async function applyConfig(
  plan: ConfigPlan,
  { bytes, rewritten }: { readonly bytes: Buffer; readonly rewritten: Buffer },
  ports: ApplyPorts,
): Promise<void> {
  const { files, journal } = ports;
  checkWritable(plan.path, rewritten.length, files);
  const config = files.realpath(plan.path);
  const migration = newMigration({
    id: migrationId(ports.now(), ports.random()),
    config,
    client: plan.client,
    at: new Date(ports.now()).toISOString(),
    before: digest(bytes),
    after: digest(rewritten),
    servers: plan.entries.map(({ server }) => server),
    edits: plan.edits,
    ...(plan.moves !== undefined && { moves: movedSecrets(plan.moves) }),
  });
  // Whoever waited for the lock may find the work done: nothing is recorded then.
  if (!files.read(config).equals(bytes)) throw changed(plan.path);
  await ports.approve();
  await journal.start(migration, await ports.seal(bytes));
  try {
    await replaceConfig(plan.path, rewritten, bytes, files);
  } catch (error) {
    // A flush may fail when the rename is done: only a config that was not rewritten needs no record.
    if (!files.readIfExists(config)?.equals(rewritten)) journal.forget(migration.id);
    throw error;
  }
  if (!files.read(config).equals(rewritten)) throw changed(plan.path);
  await journal.write({ ...migration, state: "done" });
}

/**
 * What can be known before anything is written: the config can be replaced by so many bytes.
 * @throws UserError cannot-write
 */
export function checkWritable(path: string, size: number, files: Files): void {
  checkLinks(path, files);
  try {
    files.checkReplace(path, size);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** A rename gives the new bytes to one name: the others would keep the plaintext. */
function checkLinks(path: string, files: Files): void {
  if (files.identify(path).links === 1) return;
  throw new UserError("cannot-write", `${path} has another name (a hard link), which would keep the plaintext`, {
    hint: `find / -samefile '${path}' lists them: make the others symbolic links, then run mcp-secrets migrate again`,
  });
}

/** True where a killed migrate or restore left something to finish. */
export function isUnsettled(files: Files, journal: Journal): boolean {
  const open = journal.list().filter(({ state }) => state !== "restored");
  return (
    open.some(({ state }) => state === "started") ||
    foldersOf(open).some((folder) => files.leftovers(folder).length > 0)
  );
}

/**
 * Finishes what a killed migrate or restore left: temporary files go, and a record that was only started becomes what
 * the config says that it is.
 */
export async function settleJournal(files: Files, journal: Journal): Promise<void> {
  const open = journal.list().filter(({ state }) => state !== "restored");
  // A restore that was killed leaves plaintext beside the config, under a record that says done.
  for (const folder of foldersOf(open)) files.sweep(folder);
  for (const migration of open) {
    if (migration.state !== "started") continue;
    const bytes = files.readIfExists(migration.config);
    if (bytes !== undefined && digest(bytes) === migration.before) journal.forget(migration.id);
    else await journal.write({ ...migration, state: "done" });
  }
}

function foldersOf(migrations: readonly Migration[]): string[] {
  return [...new Set(migrations.map(({ config }) => dirname(config)))];
}

/** Replaces a config, and says in the words of the product why it could not be. */
export async function replaceConfig(path: string, data: Buffer, expected: Buffer, files: Files): Promise<void> {
  const replaced = await files.replace(path, data, expected).catch((error: unknown) => {
    throw cannotWrite(path, error);
  });
  if (!replaced.done) throw changed(path);
  if (replaced.lost === undefined) return;
  // Somebody wrote in the moment of the rename: their bytes go back, and the plan is made again for them.
  await files.replace(path, replaced.lost, data);
  throw changed(path);
}

/** Makes a config that is gone, private. @throws UserError config-changed where it is there again */
export async function createConfig(path: string, data: Buffer, files: Files): Promise<void> {
  const created = await files.createPrivate(path, data).catch((error: unknown) => {
    throw cannotWrite(path, error);
  });
  if (!created) throw changed(path);
}

/** In the words of the product. */
function cannotWrite(path: string, error: unknown): UserError {
  return new UserError("cannot-write", `cannot write ${path}: ${error instanceof Error ? error.message : ""}`, {
    hint: `check the permissions and the free space of ${dirname(path)}, then run the command again`,
    cause: error,
  });
}

function changed(path: string): UserError {
  return new UserError("config-changed", `${path} was changed by another program meanwhile`, {
    hint: "run mcp-secrets migrate again",
  });
}
