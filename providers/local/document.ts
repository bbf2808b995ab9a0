/**
 * What the file of a secret holds: plain data, and the changes to it. JSON, so that whoever opens it with `age -d` can
 * read it.
 */
export interface SecretDocument {
  readonly schema: typeof SCHEMA;
  /** The path of the secret, against a file that was swapped or renamed. */
  readonly path: string;
  readonly versions: Readonly<Record<string, Version>>;
  readonly stages: Stages;
}

export interface Version {
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Which version is which. */
export interface Stages {
  readonly current: number;
  readonly pending?: number;
  readonly previous?: number;
}

const SCHEMA = "mcp-secrets/secret/1";
/** Versions kept, those that a stage points at among them. */
const KEPT = 3;

/**
 * The document with `fields` as its next version, which becomes the current one.
 * @param createdAt milliseconds since the epoch
 */
export function addVersion(
  path: string,
  old: SecretDocument | undefined,
  fields: Readonly<Record<string, string>>,
  createdAt: number,
): SecretDocument {
  const number = Math.max(0, ...Object.keys(old?.versions ?? {}).map(Number)) + 1;
  const version = { createdAt: new Date(createdAt).toISOString(), fields };
  const stages: Stages = { ...old?.stages, ...(old && { previous: old.stages.current }), current: number };
  return { schema: SCHEMA, path, versions: prune({ ...old?.versions, [number]: version }, stages), stages };
}

export function currentOf({ versions, stages }: SecretDocument): Version {
  const version = versions[stages.current];
  if (version === undefined) throw new Error("a document without its current version");
  return version;
}

export function formatDocument(document: SecretDocument): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** The document, or undefined where the text is anything else. */
export function parseDocument(text: string): SecretDocument | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isDocument(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function prune(versions: Readonly<Record<string, Version>>, stages: Stages): Readonly<Record<string, Version>> {
  const staged = new Set([stages.current, stages.pending, stages.previous]);
  const rank = (number: number) => (staged.has(number) ? Infinity : number);
  const numbers = Object.keys(versions).map(Number);
  const kept = new Set(numbers.toSorted((a, b) => rank(b) - rank(a)).slice(0, Math.max(KEPT, staged.size)));
  return Object.fromEntries(Object.entries(versions).filter(([number]) => kept.has(Number(number))));
}

function isDocument(value: unknown): value is SecretDocument {
  if (!isObject(value) || value["schema"] !== SCHEMA || typeof value["path"] !== "string") return false;
  const { versions, stages } = value;
  if (!isObject(versions) || !isObject(stages)) return false;
  const numbered = Object.entries(versions).every(
    ([number, version]) => /^[1-9]\d*$/.test(number) && isVersion(version),
  );
  const staged = ["current", "pending", "previous"].every((stage) => isStage(stages[stage], versions));
  return numbered && staged && stages["current"] !== undefined;
}

function isStage(number: unknown, versions: Readonly<Record<string, unknown>>): boolean {
  return number === undefined || (typeof number === "number" && Object.hasOwn(versions, String(number)));
}

function isVersion(value: unknown): value is Version {
  if (!isObject(value) || typeof value["createdAt"] !== "string" || Number.isNaN(Date.parse(value["createdAt"]))) {
    return false;
  }
  const { fields } = value;
  return isObject(fields) && Object.values(fields).every((field) => typeof field === "string");
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
