import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pythonPackages } from "./cache.ts";

/** An AWS of our own: moto for what Secrets Manager keeps of its contract, ministack for IAM and STS. */
export interface AwsServer extends AsyncDisposable {
  readonly address: string;
  readonly account: string;
  /** Posts to the server's own, unsigned interface. */
  post(path: string, body?: string): Promise<number>;
}

const PACKAGES = ["moto==5.2.5", "flask==3.1.3", "flask-cors==6.0.5", "ministack==1.5.33"];

/** Enforces nothing; its versions and stages are right. */
export async function startMoto(): Promise<AwsServer> {
  const program = [join(import.meta.dirname, "moto-server.py"), "-H", "127.0.0.1", "-p"];
  return start("123456789012", "/moto-api/", (port) => ({ args: [...program, String(port)], env: {} }));
}

/** With `auth` it enforces policies and signatures; its root is `test` with `test`. */
export async function startMinistack({ auth }: { readonly auth: boolean }): Promise<AwsServer> {
  const program = ["-c", "import sys; from ministack.app import main; sys.exit(main())"];
  return start("000000000000", "/_ministack/health", (port) => ({
    args: program,
    env: { BIND_HOST: "127.0.0.1", GATEWAY_PORT: String(port), ...(auth && { AUTH: "true" }) },
  }));
}

async function start(
  account: string,
  ready: string,
  programAt: (port: number) => { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> },
): Promise<AwsServer> {
  const packages = pythonPackages("aws-servers-1", PACKAGES);
  if (packages === undefined) throw new Error("no moto and no ministack: let pip install them");
  const folder = mkdtempSync(join(tmpdir(), "aws-server-"));
  const port = await freePort();
  const { args, env } = programAt(port);
  const path = process.env["PATH"] ?? "";
  const server = spawn("python3", args, {
    stdio: "ignore",
    cwd: folder,
    env: { PATH: path, HOME: folder, TMPDIR: folder, PYTHONPATH: packages, ...env },
  });
  const address = `http://127.0.0.1:${port}`;
  await until(async () => (await call("GET", `${address}${ready}`)) === 200, server);
  return {
    address,
    account,
    post: (where, body) => call("POST", `${address}${where}`, body),
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGKILL");
      if (server.exitCode === null && server.signalCode === null) await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function call(method: string, url: string, body?: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(url, { method, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", () => resolve(0));
    sent.end(body);
  });
}

async function until(ready: () => Promise<boolean>, server: ChildProcess): Promise<void> {
  while (!(await ready())) {
    if (server.exitCode !== null) throw new Error("the server ended at its start");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
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
