/**
 * The blob of a snapshot ends with what Node has compiled of all its own modules, more than half of the whole: it would
 * be read at every start, and stay in memory (5 MB and 3 MB). What the snapshot needs of them is in its heap; kept are
 * those that a launch loads later, for the network.
 *
 * The layout is Node's own (src/node_snapshotable.cc, SnapshotData::ToBlob): a count, then for each a name and its code,
 * each behind its length, all numbers in 64 bits, up to the end. Found is only what is so to the last byte.
 */
const LATER =
  /^(?:https?|_http_(?:agent|client|common|incoming|outgoing)|tls|_tls_\w+|internal\/(?:tls\/secure-context|http|freelist))$/;
const NAME = /^[\w/.-]{2,100}$/;
const LEAST_MODULES = 50;
const MOST_MODULES = 2000;
const NUMBER = 8;

interface Compiled {
  readonly name: string;
  /** Where name and code begin and end, their lengths included. */
  readonly start: number;
  readonly end: number;
}

/** The blob without the modules that no launch loads; undefined where they are not found. */
export function trimBlob(blob: Buffer): Buffer | undefined {
  for (let at = 0; at + NUMBER < blob.length; at += 1) {
    const modules = modulesAt(blob, at);
    if (modules === undefined) continue;
    const kept = modules.filter(({ name }) => LATER.test(name));
    const count = Buffer.alloc(NUMBER);
    count.writeUInt32LE(kept.length);
    return Buffer.concat([blob.subarray(0, at), count, ...kept.map(({ start, end }) => blob.subarray(start, end))]);
  }
  return undefined;
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
  return size === undefined || end > blob.length || !NAME.test(name) ? undefined : { name, start, end };
}

function numberAt(blob: Buffer, at: number): number | undefined {
  if (at + NUMBER > blob.length || blob.readUInt32LE(at + 4) !== 0) return undefined;
  return blob.readUInt32LE(at);
}
