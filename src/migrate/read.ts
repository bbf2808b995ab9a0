import type { ConfigDocument, ConfigFormat, EntryProblem } from "../clients/document.ts";
import type { ConfigPlace } from "../clients/locate.ts";
import type { Files } from "../core/files.ts";
import { detectAll } from "../detect/detect.ts";
import { UserError, systemCode } from "../errors.ts";
import type { PlanInput } from "./plan.ts";
import { serverView } from "./wrapper.ts";

/** Far above any config; a file that is larger is not read at all. */
const MAX_BYTES = 16 * 1024 * 1024;

/** A config that was read: what the plan needs, and the bytes that the write compares with. */
export interface ReadConfig {
  readonly place: ConfigPlace;
  readonly bytes: Buffer;
  readonly document: ConfigDocument;
  readonly input: PlanInput;
  readonly problems: readonly EntryProblem[];
}

/**
 * Reads a config strictly and finds the secrets in it, in the servers named, or in all.
 * @throws UserError config-unreadable or config-invalid, naming the file, and line and column where there are any
 */
export function readConfig(place: ConfigPlace, servers: readonly string[] | undefined, files: Files): ReadConfig {
  const bytes = readBytes(place.path, files);
  const document = parse(place, bytes, place.row.format);
  // A secret of a server that is not asked for may have its copy in one that is.
  const searched = detectAll(document.entries.map(serverView));
  const entries = document.entries
    .map((entry, index) => ({ entry, findings: searched[index]?.findings ?? [] }))
    .filter(({ entry }) => servers?.includes(entry.server) ?? true);
  const input = { path: place.path, client: place.id, interpolates: place.row.interpolates, entries };
  return { place, bytes, document, input, problems: document.problems };
}

function readBytes(path: string, files: Files): Buffer {
  try {
    const { size, kind } = files.identify(path);
    if (kind !== "file") throw new UserError("config-unreadable", `${path} is not a file`);
    if (size > MAX_BYTES) throw new UserError("config-invalid", `${path} is larger than 16 MiB`);
    return files.read(path);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): UserError {
  const code = systemCode(cause);
  if (code === "ENOENT") {
    return new UserError("config-unreadable", `${path} does not exist`, {
      hint: "mcp-secrets migrate --dry-run lists the configs that are found without --config",
      cause,
    });
  }
  return new UserError("config-unreadable", `cannot read ${path}: ${code ?? "unknown error"}`, {
    hint: `ls -l ${path}`,
    cause,
  });
}

function parse(place: ConfigPlace, bytes: Buffer, format: ConfigFormat): ConfigDocument {
  try {
    return format.parse(bytes, place.row.keyPath);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.code, `${place.path}:${error.message}`, {
      hint: error.hint ?? "mend the file by hand, then run the command again",
      cause: error,
    });
  }
}
