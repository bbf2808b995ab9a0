import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Edit } from "../clients/document.ts";
import type { Files } from "../core/files.ts";
import { UserError } from "../errors.ts";

const SCHEMA = "mcp-secrets/migration/1";
const STATES = ["started", "done", "restored"] as const;

/**
 * One rewriting of one config, kept in `journal/migrations/ID.json`. The bytes from before lie beside it, encrypted, in
 * `ID.age`. It holds references and no values.
 */
export interface Migration {
  readonly schema: typeof SCHEMA;
  readonly id: string;
  /** `started` until the config was replaced and read again; `restored` when it was undone. */
  readonly state: (typeof STATES)[number];
  /** Where the config is, links followed. */
  readonly config: string;
  readonly client: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** SHA-256 of the bytes before and after, hex. */
  readonly before: string;
  readonly after: string;
  readonly servers: readonly string[];
  readonly edits: readonly Edit[];
  /** Secrets that went to another store, each once: where from and where to, as references without fields. */
  readonly moves?: readonly (readonly [from: string, to: string])[];
}

/** The migrations of a home, oldest first. */
export class Journal {
  readonly #files: Files;
  readonly #folder: string;

  constructor(files: Files, home: string) {
    this.#files = files;
    this.#folder = join(home, "journal", "migrations");
  }

  list(): readonly Migration[] {
    return this.read().migrations;
  }

  /** With what is wrong with the records that cannot be read: they are left alone, and nothing is guessed about them. */
  read(): { readonly migrations: readonly Migration[]; readonly problems: readonly string[] } {
    const migrations: Migration[] = [];
    const problems: string[] = [];
    for (const name of this.#files.list(this.#folder).filter((file) => file.endsWith(".json"))) {
      const path = join(this.#folder, name);
      const migration = parseMigration(this.#files.read(path).toString());
      if (migration === undefined) problems.push(`the migration record ${path} cannot be read`);
      else migrations.push(migration);
    }
    return { migrations: migrations.toSorted((a, b) => (a.id < b.id ? -1 : 1)), problems };
  }

  /** Writes backup and record, in this order, durable: before anything happens to the config. */
  async start(migration: Migration, sealed: Buffer): Promise<void> {
    await this.#files.writePrivate(this.backup(migration.id), sealed);
    await this.write(migration);
  }

  async write(migration: Migration): Promise<void> {
    await this.#files.writePrivate(
      join(this.#folder, `${migration.id}.json`),
      `${JSON.stringify(migration, null, 2)}\n`,
    );
  }

  /** Forgets a migration that never came to pass: the record first, so that no record is without its backup. */
  forget(id: string): void {
    this.#files.remove(join(this.#folder, `${id}.json`));
    this.#files.remove(this.backup(id));
  }

  /** The encrypted bytes of the config from before the migration. @throws UserError not-restorable */
  sealed(id: string): Buffer {
    const sealed = this.sealedIfThere(id);
    if (sealed !== undefined) return sealed;
    throw new UserError("not-restorable", `the backup ${this.backup(id)} is gone`, {
      hint: "put it back from a copy of the folder, or write the config by hand: mcp-secrets get REFERENCE has each value",
    });
  }

  sealedIfThere(id: string): Buffer | undefined {
    return this.#files.readIfExists(this.backup(id));
  }

  /** Where they are. */
  backup(id: string): string {
    return join(this.#folder, `${id}.age`);
  }
}

export function newMigration(facts: Omit<Migration, "schema" | "state">): Migration {
  return { schema: SCHEMA, state: "started", ...facts };
}

/** The ids of the entries that a migration put behind the launcher. */
export function entryIds({ edits }: Migration): readonly string[] {
  return edits.flatMap((edit) => {
    const flag = edit.type === "prepend" ? edit.items.indexOf("--entry") : -1;
    return edit.type === "prepend" && flag >= 0 ? (edit.items[flag + 1] ?? []) : [];
  });
}

/** Where secrets were before they came to their present stores, by the latest move; all as references without fields. */
export function originsOf(migrations: readonly Migration[]): ReadonlyMap<string, string> {
  return new Map(migrations.flatMap(({ moves = [] }) => moves.map(([from, to]) => [to, from] as const)));
}

export function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Ids sort by time: the moment in UTC, then random characters. */
export function migrationId(now: number, random: string): string {
  return `${new Date(now).toISOString().replaceAll(/[-:.]/g, "")}-${random.slice(0, 8)}`;
}

function parseMigration(text: string): Migration | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isMigration(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whatever else a newer version may write beside. */
function isMigration(value: unknown): value is Migration {
  const member = membersOf(value);
  const texts = ["id", "config", "client", "at"].every((name) => typeof member(name) === "string");
  return (
    member("schema") === SCHEMA &&
    STATES.some((state) => state === member("state")) &&
    texts &&
    isDigest(member("before")) &&
    isDigest(member("after")) &&
    isListOf(member("servers"), (server) => typeof server === "string") &&
    isListOf(member("edits"), isEdit) &&
    (member("moves") === undefined || isListOf(member("moves"), isPair))
  );
}

function isEdit(value: unknown): boolean {
  const member = membersOf(value);
  const isText = (name: string) => typeof member(name) === "string";
  if (!isText("pointer")) return false;
  if (member("type") === "prepend") return isListOf(member("items"), (item) => typeof item === "string");
  if (member("type") === "add") return isText("name") && isText("text");
  const isPlace = ["start", "end"].every((name) => Number.isSafeInteger(member(name)));
  return member("type") === "replace" && isPlace && isText("text");
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

function isListOf(value: unknown, is: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is);
}

function membersOf(value: unknown): (name: string) => unknown {
  const members = new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
  return (name) => members.get(name);
}

function isPair(value: unknown): boolean {
  return isListOf(value, (text) => typeof text === "string") && Array.isArray(value) && value.length === 2;
}
