import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Script } from "node:vm";

export interface Code {
  readonly exports: object;
  /**
   * Keeps what V8 has compiled by now beside the file, for the next start: a quarter of the work of a launch is
   * compiling. Does nothing where that is there already, or where the folder cannot be written.
   */
  readonly keep: () => void;
}

export interface Chunks {
  /** What a chunk exports, by the id that the others require it by: `./start.cjs`. */
  readonly load: (id: string) => object;
  /** Keeps every chunk that was loaded. */
  readonly keep: () => void;
}

/** The chunks of the built program in `folder`; `require` is for all else that they require. */
export function openChunks(folder: string, require: NodeJS.Require): Chunks {
  const loaded = new Map<string, Code>();
  const load = (id: string): object => {
    const code = loaded.get(id) ?? loadCode(join(folder, id), ours);
    loaded.set(id, code);
    return code.exports;
  };
  const ours: NodeJS.Require = Object.assign(
    (id: string): unknown => (id.startsWith("./") ? load(id) : require(id)),
    require,
  );
  return { load, keep: () => loaded.forEach((code) => code.keep()) };
}

/** The length of the source, which stands before it in what is kept. */
const HEAD = 4;

/**
 * Runs a bundled CommonJS file as `require` does, with the code that was kept the last time. Made by another V8 or under
 * other flags, that is not used: V8 itself tells (`cachedDataRejected`). Of the source V8 looks at the length only, so
 * that it is kept along and compared.
 */
export function loadCode(path: string, require: NodeJS.Require): Code {
  const source = readFileSync(path);
  const kept = readKept(`${path}.cache`, source);
  // The bundler writes ASCII only.
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${source.toString("latin1")}\n})`,
    {
      filename: path,
      ...(kept === undefined ? {} : { cachedData: kept }),
    },
  );
  const module = { exports: {} };
  const run: unknown = script.runInThisContext();
  if (typeof run === "function") Reflect.apply(run, undefined, [module.exports, require, module, path, dirname(path)]);
  const isKept = kept !== undefined && script.cachedDataRejected !== true;
  const keep = () => {
    if (isKept) return;
    const head = Buffer.alloc(HEAD);
    head.writeUInt32BE(source.length);
    write(`${path}.cache`, Buffer.concat([head, source, script.createCachedData()]));
  };
  return { exports: module.exports, keep };
}

function readKept(path: string, source: Buffer): Buffer | undefined {
  try {
    const kept = readFileSync(path);
    const end = HEAD + source.length;
    const isOfSource = kept.readUInt32BE() === source.length && kept.subarray(HEAD, end).equals(source);
    return isOfSource ? kept.subarray(end) : undefined;
  } catch {
    return undefined;
  }
}

function write(path: string, data: Buffer): void {
  const temporary = `${path}.${process.pid}`;
  try {
    // V8 does not look into what it gets: a file that a power cut left half empty must not get its name.
    writeFileSync(temporary, data, { mode: 0o600, flag: "wx", flush: true });
    renameSync(temporary, path);
  } catch {
    // It is as good without.
  }
}
