/**
 * The blob of a snapshot ends with what Node has compiled of all its own modules, more than half of the whole: it would
 * be read at every start, and stay in memory (5 MB and 3 MB). What the snapshot needs of them is in its heap; kept are
 * those that a launch loads later, for the network.
 *
 * The layout is Node's own (src/node_snapshotable.cc, SnapshotData::ToBlob): a count, then for each a name and its code,
 * each behind its length, all numbers in 64 bits, up to the end. Found is only what is so to the last byte.
 */
const LATER = /^(?:https?|_http_\w+|tls|_tls_\w+|internal\/(?:tls\/secure-\w+|http|freelist|js_stream_socket))$/;
/** Loaded along with the others, and hardly used: the half of a server, and what is for tests. */
const UNUSED = /^(?:_http_server|internal\/(?:tls\/secure-pair|js_stream_socket))$/;
const NAME = /^[\w/.-]{2,100}$/;
const LEAST_MODULES = 50;
const MOST_MODULES = 2000;
const NUMBER = 8;

interface Compiled {
  readonly name: string;
  readonly code: Buffer;
  /** Where the next one begins. */
  readonly end: number;
}

/**
 * The blob with the modules for the network only, and those whole: what Node itself compiles has no function in it that
 * was not called, and each would be compiled at the start of a server that calls it. `whole` is a blob of the same Node
 * in which every function is (`--no-lazy`).
 * @returns undefined where they are not found
 */
export function trimBlob(blob: Buffer, whole: Buffer): Buffer | undefined {
  const all = findModules(blob);
  const compiled = findModules(whole);
  if (all === undefined || compiled === undefined) return undefined;
  const wholes = new Map(compiled.modules.map(({ name, code }) => [name, code]));
  const kept = all.modules.filter(({ name }) => LATER.test(name));
  const written = kept.map(({ name, code }) => [Buffer.from(name), codeOf(name, code, wholes.get(name))]);
  return Buffer.concat([blob.subarray(0, all.at), numberOf(kept.length), ...written.flat().flatMap(counted)]);
}

/**
 * What V8 writes before code that it keeps, in words of 32 bits: what it is, V8's version, the source, V8's flags, the
 * length (src/snapshot/code-serializer.h, SerializedCodeData). The flags may differ: we know which did.
 */
const FLAGS = 3 * 4;

function codeOf(name: string, code: Buffer, whole: Buffer | undefined): Buffer {
  const isSame =
    whole !== undefined && whole.length > FLAGS && whole.subarray(0, FLAGS).equals(code.subarray(0, FLAGS));
  if (!isSame || UNUSED.test(name)) return code;
  return Buffer.concat([code.subarray(0, FLAGS + 4), whole.subarray(FLAGS + 4)]);
}

function findModules(blob: Buffer): { readonly at: number; readonly modules: readonly Compiled[] } | undefined {
  for (let at = 0; at + NUMBER < blob.length; at += 1) {
    const modules = modulesAt(blob, at);
    if (modules !== undefined) return { at, modules };
  }
  return undefined;
}

function counted(part: Buffer): readonly Buffer[] {
  return [numberOf(part.length), part];
}

function numberOf(value: number): Buffer {
  const number = Buffer.alloc(NUMBER);
  number.writeUInt32LE(value);
  return number;
}

function modulesAt(blob: Buffer, at: number): Compiled[] | undefined {
  const count = numberAt(blob, at);
  if (count === undefined || count < LEAST_MODULES || count > MOST_MODULES) return undefined;
  const modules: Compiled[] = [];
  let start = at + NUMBER;
  while (modules.length < count) {
    const compiled = moduleAt(blob, start);
    if (compiled === undefined) return undefined;
    modules.push(compiled);
    start = compiled.end;
  }
  return start === blob.length ? modules : undefined;
}

function moduleAt(blob: Buffer, start: number): Compiled | undefined {
  const length = numberAt(blob, start);
  if (length === undefined || length > 100) return undefined;
  const code = start + NUMBER + length;
  const name = blob.toString("latin1", start + NUMBER, code);
  const size = numberAt(blob, code);
  const end = code + NUMBER + (size ?? 0);
  if (size === undefined || end > blob.length || !NAME.test(name)) return undefined;
  return { name, code: blob.subarray(code + NUMBER, end), end };
}

function numberAt(blob: Buffer, at: number): number | undefined {
  if (at + NUMBER > blob.length || blob.readUInt32LE(at + 4) !== 0) return undefined;
  return blob.readUInt32LE(at);
}
