import { join } from "node:path";
import type { Context } from "../context.ts";
import { systemCode } from "../errors.ts";
import { followed, knownConfigs } from "./known-configs.ts";

/** A secret that was copied to another store: the old one stays, for whatever refers to it. */
export interface OldCopy {
  /** Without a field. */
  readonly reference: string;
  /** Files that refer to it. */
  readonly referredBy: readonly string[];
}

/** As migrate's: a config that is larger is not read. */
const LARGEST_CONFIG = 16 * 1024 * 1024;
const REFERENCE = /mcp-secret:\/\/[A-Za-z0-9._~/-]+/g;

/**
 * Who on this machine refers to each of `secrets`: configs that are found, that were approved or migrated, and our own
 * settings. `instead` has the bytes that some of them will have. Texts are searched as they are, comments too: what is
 * taken for used in error is only kept.
 */
export function oldCopies(
  context: Context,
  secrets: readonly string[],
  instead: ReadonlyMap<string, Buffer> = new Map(),
): readonly OldCopy[] {
  if (secrets.length === 0) return [];
  const referring = new Map(secrets.map((secret) => [secret, new Set<string>()]));
  for (const path of filesOf(context, [...instead.keys()])) {
    const bytes = instead.get(path) ?? read(context, path);
    for (const secret of secretsIn(bytes?.toString() ?? "")) referring.get(secret)?.add(path);
  }
  return [...referring].map(([reference, paths]) => ({ reference, referredBy: [...paths] }));
}

/** Links followed, so that no file is told twice. */
function filesOf(context: Context, more: readonly string[]): readonly string[] {
  const known = knownConfigs(context).map(({ path }) => path);
  const paths = [...more, ...known, join(context.home, "config.jsonc")];
  return [...new Set(paths.flatMap((path) => followed(context, path) ?? []))];
}

function read({ files }: Context, path: string): Buffer | undefined {
  try {
    const { kind, size } = files.identify(path);
    return kind === "file" && size <= LARGEST_CONFIG ? files.read(path) : undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

/** Slashes as JSON may spell them. */
function secretsIn(text: string): readonly string[] {
  return text.replaceAll(/\\u002f|\\\//gi, "/").match(REFERENCE) ?? [];
}
