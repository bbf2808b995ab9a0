import { UserError } from "../errors.ts";

/**
 * A reference: `mcp-secret://STORE/PATH#FIELD`, what a config holds in place of a secret.
 * `path` is one or more segments joined by `/`; `field` is absent where the text names none and then means `value`.
 * `raw` is written `~raw` behind a field: in a URL the value is put in as it is spelled, and not percent-encoded.
 */
export interface SecretRef {
  readonly store: string;
  readonly path: string;
  readonly field?: string;
  readonly raw?: true;
}

/** A reference found inside a longer text: UTF-16 offsets, end exclusive. */
export interface FoundRef {
  readonly ref: SecretRef;
  readonly start: number;
  readonly end: number;
}

export const SCHEME = "mcp-secret://";
export const DEFAULT_FIELD = "value";

const RAW = "~raw";

const STORE = /^[a-z][a-z0-9-]*$/;
const WORD = /^[A-Za-z0-9._~-]+$/;
/** The longest run of characters that a reference can be made of, after the scheme. */
const BODY = /[A-Za-z0-9._~/-]*(?:#[A-Za-z0-9._~-]*)?/y;

/**
 * The reference that `text` is, as a whole.
 * @throws UserError reference-invalid where it is anything else; the message carries the text, which holds no secret.
 */
export function parseRef(text: string): SecretRef {
  const ref = text.startsWith(SCHEME) ? readBody(text.slice(SCHEME.length)) : undefined;
  if (ref === undefined) {
    throw new UserError("reference-invalid", `not a reference: ${printable(text)}`, {
      hint: `write mcp-secret://STORE/PATH or mcp-secret://STORE/PATH#FIELD`,
    });
  }
  return ref;
}

/** The text of a reference; `parseRef(formatRef(ref))` equals `ref`, with the field written out where it is `raw`. */
export function formatRef(ref: SecretRef): string {
  const field = ref.raw === true ? `#${fieldOf(ref)}${RAW}` : ref.field === undefined ? "" : `#${ref.field}`;
  return `${SCHEME}${ref.store}/${ref.path}${field}`;
}

/** As `formatRef`, in the one spelling that a reference has: with the field, where it is not the usual one. */
export function refName({ store, path, field = DEFAULT_FIELD }: SecretRef): string {
  return formatRef({ store, path, ...(field === DEFAULT_FIELD ? {} : { field }) });
}

/** The field that a reference reads. */
export function fieldOf(ref: SecretRef): string {
  return ref.field ?? DEFAULT_FIELD;
}

/**
 * Every reference in `text`, in order. A reference ends before the first character that its grammar does not know.
 * @throws UserError reference-invalid where the scheme is followed by something that is no reference: never a literal.
 */
export function findRefs(text: string): FoundRef[] {
  const found: FoundRef[] = [];
  for (let start = text.indexOf(SCHEME); start >= 0; start = text.indexOf(SCHEME, start)) {
    BODY.lastIndex = start + SCHEME.length;
    const body = BODY.exec(text)?.[0] ?? "";
    const end = start + SCHEME.length + body.length;
    found.push({ ref: parseRef(text.slice(start, end)), start, end });
    start = end;
  }
  return found;
}

/** As `parseRef`; undefined for any other text. */
export function refOrNone(text: string): SecretRef | undefined {
  return orNone(() => parseRef(text));
}

/** As `findRefs`; undefined where something only looks like a reference: `run` and `doctor` tell of it. */
export function refsOrNone(text: string): readonly FoundRef[] | undefined {
  return orNone(() => findRefs(text));
}

function orNone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** True where `next`, standing right after the text of a reference, would be read as part of it. */
export function extendsRef(ref: SecretRef, next: string): boolean {
  if (next === "") return false;
  if (WORD.test(next)) return true;
  return ref.field === undefined && (next === "/" || next === "#");
}

export function isStoreName(text: string): boolean {
  return STORE.test(text);
}

/** False where a store knows a secret under a name that no reference can be written with. */
export function isWritable(ref: SecretRef): boolean {
  const read = readBody(formatRef(ref).slice(SCHEME.length));
  return read?.path === ref.path && read.field === ref.field;
}

/** True for a path segment. */
export function isSegment(text: string): boolean {
  return WORD.test(text) && text !== "." && text !== "..";
}

function readBody(body: string): SecretRef | undefined {
  const hash = body.indexOf("#");
  const place = hash < 0 ? body : body.slice(0, hash);
  const slash = place.indexOf("/");
  if (slash < 0) return undefined;
  const store = place.slice(0, slash);
  const path = place.slice(slash + 1);
  if (!isStoreName(store) || !path.split("/").every(isSegment)) return undefined;
  if (hash < 0) return { store, path };
  const name = body.slice(hash + 1);
  const raw = name.endsWith(RAW);
  const field = raw ? name.slice(0, -RAW.length) : name;
  return isSegment(field) ? { store, path, field, ...(raw && { raw }) } : undefined;
}

function printable(text: string): string {
  const shown = JSON.stringify(text.slice(0, 80)).slice(1, -1);
  return text.length > 80 ? `${shown}…` : shown;
}
