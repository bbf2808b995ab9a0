import { join } from "node:path";
import type { Files } from "../core/files.ts";
import type { Fields } from "../core/provider.ts";
import { Secret } from "../core/secret.ts";
import type { Seal } from "../core/seal.ts";
import { UserError } from "../errors.ts";

/**
 * A value that its issuer shows once, and that ends the old one, on its way to the store: kept sealed on this machine
 * until the store has it. `rotation/ID.age` in the home of mcp-secrets; a stock `age -d` opens it.
 */
export interface Spill {
  /** Proves that there is a key and room for it, before the issuer is asked; what was kept there stays. */
  open(): Promise<void>;
  keep(fields: Fields): Promise<void>;
  /** The value that was kept; undefined where none was. @throws UserError rotation-stuck where it cannot be read */
  read(): Promise<Fields | undefined>;
  drop(): void;
}

export interface SpillPlace {
  readonly home: string;
  readonly files: Files;
  readonly openSeal: () => Promise<Seal>;
}

/** As much as a value may take, so that the disk that took the empty one has held it. */
const ROOM = 16_384;

export function spillOf({ home, files, openSeal }: SpillPlace, id: string): Spill {
  const path = join(home, "rotation", `${id}.age`);
  const write = async (fields: Readonly<Record<string, string>> | undefined) => {
    const text = JSON.stringify({ v: 1, id, fields });
    const sealed = await (await openSeal()).close(Buffer.from(text.padEnd(ROOM)));
    await files.writePrivate(path, sealed);
  };
  const read = async () => {
    const sealed = files.readIfExists(path);
    return sealed === undefined ? undefined : parse((await openSeal()).open(sealed), path);
  };
  return {
    async open() {
      if ((await read()) === undefined) await write(undefined);
    },
    keep: (fields) => write(exposed(fields)),
    read,
    drop: () => files.remove(path),
  };
}

function exposed(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value.expose()]));
}

function parse(bytes: Buffer, path: string): Fields | undefined {
  const value: unknown = JSON.parse(bytes.toString());
  if (typeof value !== "object" || value === null || !("v" in value) || value.v !== 1) throw unread(path);
  if (!("fields" in value)) return undefined;
  const { fields } = value;
  if (typeof fields !== "object" || fields === null) throw unread(path);
  const entries = Object.entries(fields).map(([name, field]): [string, Secret] => {
    if (typeof field !== "string") throw unread(path);
    return [name, new Secret(field)];
  });
  return Object.fromEntries(entries);
}

function unread(path: string): UserError {
  return new UserError("rotation-stuck", `the value that was kept at ${path} is not of this version`, {
    hint: `age -d -i ~/.mcp-secrets/local/identity ${path}`,
  });
}
