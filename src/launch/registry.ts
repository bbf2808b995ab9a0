import { join } from "node:path";
import { formatRef } from "../core/ref.ts";
import type { ResolvedSecret } from "../core/provider.ts";
import type { Files } from "../core/files.ts";

/** A launch as `ps` shows it. */
export interface LaunchRecord {
  readonly v: 1;
  readonly id: string;
  readonly entry: string;
  readonly pid: number;
  /** When that process started, as the system counts; empty where it does not tell. */
  readonly started: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly refs: readonly HeldVersion[];
}

/** A reference and the version that its server was given. */
interface HeldVersion {
  readonly ref: string;
  readonly version?: number;
  /** Where it came from a copy, because the store did not answer: when that was read. ISO 8601, UTC. */
  readonly stale?: string;
}

interface RegistryPlace {
  readonly files: Files;
  readonly home: string;
}

interface LivePlace extends RegistryPlace {
  readonly startOf: (pid: number) => string | undefined;
}

const MANY = 256;

/** Notes a launch before its child starts. It is state of this boot: not flushed to the disk. */
export function recordLaunch({ files, home }: RegistryPlace, record: LaunchRecord): void {
  const path = launchPath(home, record.id);
  try {
    files.writeVolatile(path, JSON.stringify(record));
  } catch {
    files.makePrivateDir(launchFolder(home));
    files.writeVolatile(path, JSON.stringify(record));
  }
}

export function forgetLaunch({ files, home }: RegistryPlace, id: string): void {
  files.remove(launchPath(home, id));
}

/** The launches that live. Notes of dead ones go. */
export function liveLaunches({ files, home, startOf }: LivePlace): LaunchRecord[] {
  return listLaunches({ files, home }).filter(({ id, pid, started }) => {
    const lives = startOf(pid) === started;
    if (!lives) forgetLaunch({ files, home }, id);
    return lives;
  });
}

/**
 * A launcher that was killed, or whose server took its place, does not forget its launch. Where there are more notes than
 * launches can live, the dead are looked for: a look at the folder each time, and some 10 ms once in a few hundred.
 */
export function sweepLaunches(place: LivePlace): void {
  if (place.files.list(launchFolder(place.home)).length > MANY) liveLaunches(place);
}

/** Every launch that was noted and not forgotten, dead ones too. What cannot be read is left out. */
function listLaunches({ files, home }: RegistryPlace): LaunchRecord[] {
  const names = files.list(launchFolder(home)).filter((name) => name.endsWith(".json"));
  const records = names.map((name) => readRecord(files.readIfExists(join(launchFolder(home), name))));
  return records.filter((record) => record !== undefined);
}

export function versionsOf(secrets: readonly ResolvedSecret[]): LaunchRecord["refs"] {
  return secrets.map(({ ref, version, staleSince }) => ({
    ref: formatRef(ref),
    ...(version !== undefined && { version }),
    ...(staleSince !== undefined && { stale: new Date(staleSince).toISOString() }),
  }));
}

function launchFolder(home: string): string {
  return join(home, "journal", "launches");
}

function launchPath(home: string, id: string): string {
  return join(launchFolder(home), `${id}.json`);
}

function readRecord(bytes: Buffer | undefined): LaunchRecord | undefined {
  try {
    const record: unknown = JSON.parse(bytes?.toString() ?? "");
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is LaunchRecord {
  if (typeof value !== "object" || value === null) return false;
  const record: Partial<Record<string, unknown>> = { ...value };
  const texts = ["id", "entry", "started", "since"].every((name) => typeof record[name] === "string");
  return record["v"] === 1 && texts && Number.isSafeInteger(record["pid"]) && Array.isArray(record["refs"]);
}
