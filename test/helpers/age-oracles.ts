import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { cached, npmPackages } from "../servers/cache.ts";

/**
 * The stock `age`, where it can be had: on PATH, or made by `go install` through the module proxy into .cache. Tells on
 * stderr where it cannot.
 */
export function ageProgram(): string | undefined {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "age"));
  const found = onPath.find((path) => existsSync(path));
  if (found !== undefined) return found;
  const folder = cached("age-1.2.1", (place) => install("filippo.io/age/cmd/...@v1.2.1", place));
  if (folder !== undefined) return join(folder, "age");
  process.stderr.write("SKIPPED: no age on PATH, and no go to make one: apt-get install age\n");
  return undefined;
}

function install(program: string, place: string): boolean {
  const PATH = [process.env["PATH"], "/usr/local/go/bin"].join(delimiter);
  const env = { ...process.env, PATH, GOBIN: place, GOPATH: join(place, "go"), GOFLAGS: "-modcacherw" };
  return spawnSync("go", ["install", program], { env, stdio: "ignore", timeout: 240_000 }).status === 0;
}

/** One of the vectors that the age project publishes for every implementation (c2sp.org/CCTV/age). */
export interface AgeVector {
  readonly name: string;
  readonly expect: string;
  readonly identities: readonly string[];
  /** SHA-256 of the plaintext, as hexadecimal. */
  readonly payload: string | undefined;
  readonly armored: boolean;
  /** What our reader has no use for: passphrases, compressed vectors, other kinds of keys. */
  readonly foreign: boolean;
  readonly file: Buffer;
}

/** None, and a word on stderr, where npm cannot fetch them. */
export async function ageVectors(): Promise<readonly AgeVector[]> {
  const folder = npmPackages("cctv-age-0.2.0", ["cctv-age@0.2.0"]);
  if (folder === undefined) {
    process.stderr.write("SKIPPED: npm cannot fetch cctv-age, the vectors of the age format\n");
    return [];
  }
  const index = pathToFileURL(join(folder, "node_modules/cctv-age/index.js")).href;
  const vectors = (await import(index)) as Record<string, Uint8Array>;
  return Object.entries(vectors).map(([name, bytes]) => parseVector(name, Buffer.from(bytes)));
}

/** A header of `key: value` lines, an empty line, the age file. */
function parseVector(name: string, bytes: Buffer): AgeVector {
  const end = bytes.indexOf("\n\n");
  const lines = bytes.toString("latin1", 0, end).split("\n");
  const all = (key: string) =>
    lines.filter((line) => line.startsWith(`${key}: `)).map((line) => line.slice(key.length + 2));
  const identities = all("identity");
  const foreign = identities.some((identity) => !identity.startsWith("AGE-SECRET-KEY-1"));
  return {
    name,
    expect: all("expect").join(" "),
    identities,
    payload: all("payload")[0],
    armored: all("armored").includes("yes"),
    foreign: foreign || identities.length === 0 || all("passphrase").length > 0 || all("compressed").length > 0,
    file: bytes.subarray(end + 2),
  };
}
