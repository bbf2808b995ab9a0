import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cached } from "./cache.ts";
import type { Certificate } from "./certificate.ts";

export interface MariaDb extends AsyncDisposable {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Every statement that the server got, and what it complained of. */
  log(): string;
}

export interface MariaDbOptions {
  readonly tls?: Certificate;
  /** More arguments for the server. */
  readonly settings?: readonly string[];
}

/** It refuses to run as root, as PostgreSQL does. */
const NOBODY = 65534;

/**
 * Starts a real MariaDB on a free port of loopback, with the database `app` and `root`, who logs in with the password.
 * undefined where no server program is found and none can be unpacked.
 */
export async function startMariaDb(password: string, options: MariaDbOptions = {}): Promise<MariaDb | undefined> {
  const place = programs();
  if (place === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "mariadb-"));
  const owner = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const program = runs(place, owner) ? place : copied(place, folder);
  const env = {
    PATH: `${join(program.usr, "bin")}:${process.env["PATH"]}`,
    HOME: folder,
    LD_LIBRARY_PATH: program.libraries,
  };
  if (owner.uid !== undefined) chownSync(folder, NOBODY, NOBODY);
  const start = { ...owner, cwd: folder, env };
  const base = ["--no-defaults", `--basedir=${program.usr}`, `--datadir=${join(folder, "data")}`];

  const make = [...base, "--auth-root-authentication-method=normal", "--skip-test-db"];
  const made = spawnSync(join(program.usr, "bin/mariadb-install-db"), make, { ...start, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`mariadb-install-db failed: ${made.stdout}${made.stderr}`);

  const log = join(folder, "general.log");
  writeFileSync(join(folder, "first.sql"), firstStatements(password), { mode: 0o644 });
  const port = await freePort();
  const listen = [
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    `--socket=${join(folder, "s.sock")}`,
    "--skip-name-resolve",
  ];
  const small = ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M"];
  const logs = ["--general-log", `--general-log-file=${log}`, `--plugin-dir=${join(program.usr, "lib/mysql/plugin")}`];
  const more = [...tlsArguments(folder, options.tls), ...(options.settings ?? [])];
  const args = [...base, ...listen, ...small, ...logs, `--init-file=${join(folder, "first.sql")}`, ...more];
  const server = spawn(join(program.usr, "sbin/mariadbd"), args, { ...start, stdio: ["ignore", "ignore", "pipe"] });
  let complaints = "";
  server.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  await ready(server, () => complaints);
  return {
    port,
    user: "root",
    password,
    log: () => `${readFileSync(log, "utf8")}${complaints}`,
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGTERM");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The `usr` folder that holds the programs, and where their libraries are. */
interface Programs {
  readonly usr: string;
  readonly libraries: string;
}

/** Of the system; or of Debian's packages, unpacked into the cache, for which nobody has to be root. */
function programs(): Programs | undefined {
  if (existsSync("/usr/sbin/mariadbd") && existsSync("/usr/bin/mariadb-install-db"))
    return { usr: "/usr", libraries: "" };
  const root = cached("mariadb", (folder) => unpack(folder));
  if (root === undefined) return undefined;
  const libraries = ["usr/lib", "lib"].flatMap((lib) => {
    const folder = join(root, lib);
    return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  });
  return { usr: join(root, "usr"), libraries: libraries.join(":") };
}

const PACKAGES = ["mariadb-server-core", "mariadb-server", "mariadb-client-core"];
/** Needed by the server where the system does not happen to have them; their names differ between releases. */
const LIBRARIES = ["libaio1", "libaio1t64", "liburing2", "libnuma1"];

function unpack(folder: string): boolean {
  const packages = join(folder, "packages");
  const lists = join(folder, "lists");
  for (const each of [packages, lists, join(lists, "partial")]) mkdirSync(each, { recursive: true });
  // Lists of our own: the system's may be empty, and are not ours to fill.
  const own = ["-o", `Dir::State::Lists=${lists}`, "-o", `Dir::Cache=${packages}`, "-o", "APT::Sandbox::User="];
  const apt = (...args: string[]) =>
    spawnSync("apt-get", [...own, "-qq", ...args], { cwd: packages, stdio: "ignore", timeout: 240_000 }).status === 0;
  if (!apt("update") || !apt("download", ...PACKAGES)) return false;
  for (const library of LIBRARIES) apt("download", library);
  const files = readdirSync(packages).filter((name) => name.endsWith(".deb"));
  const done = files.every((file) => spawnSync("dpkg-deb", ["-x", join(packages, file), folder]).status === 0);
  for (const each of [packages, lists]) rmSync(each, { recursive: true, force: true });
  return done;
}

function runs({ usr, libraries }: Programs, owner: { readonly uid?: number; readonly gid?: number }): boolean {
  const env = { LD_LIBRARY_PATH: libraries };
  return spawnSync(join(usr, "sbin/mariadbd"), ["--version"], { ...owner, env }).status === 0;
}

/** In a place that others may read: the cache may be below a home that is closed to them. */
function copied({ usr, libraries }: Programs, folder: string): Programs {
  if (usr === "/usr") return { usr, libraries };
  const root = join(folder, "program");
  cpSync(join(usr, ".."), root, { recursive: true, verbatimSymlinks: true });
  chmodSync(root, 0o755);
  return { usr: join(root, "usr"), libraries: libraries.replaceAll(join(usr, ".."), root) };
}

/** One statement a line. Plain CREATE USER fails: the installation made them. */
function firstStatements(password: string): string {
  const quoted = `'${password.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
  return [
    `CREATE OR REPLACE USER 'root'@'127.0.0.1' IDENTIFIED BY ${quoted};`,
    "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
    `ALTER USER 'root'@'localhost' IDENTIFIED BY ${quoted};`,
    "CREATE DATABASE IF NOT EXISTS app;",
    "",
  ].join("\n");
}

function tlsArguments(folder: string, tls: Certificate | undefined): string[] {
  if (tls === undefined) return [];
  writeFileSync(join(folder, "cert.pem"), tls.cert);
  writeFileSync(join(folder, "key.pem"), tls.key, { mode: 0o600 });
  if (process.getuid?.() === 0) chownSync(join(folder, "key.pem"), NOBODY, NOBODY);
  return [`--ssl-cert=${join(folder, "cert.pem")}`, `--ssl-key=${join(folder, "key.pem")}`];
}

function ready(server: ChildProcess, complaints: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.stderr?.on("data", () => {
      if (complaints().includes("ready for connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`mariadbd ended at its start: ${complaints()}`)));
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
