import { createServer, type IncomingMessage, request as send } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** What becomes of a request. */
export type Fault =
  /** It is carried out, and the answer is lost. */
  | "lost"
  /** It is not carried out, and nothing comes. */
  | "hang"
  /** It is not carried out: an answer with this status and no body. */
  | number
  | undefined;

export interface Passing {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** A proxy before an HTTP server, for what no server does on command. Keeps what was asked. */
export interface FaultProxy extends AsyncDisposable {
  readonly address: string;
  readonly seen: readonly Passing[];
  /** Decides about each request; replaced at will. */
  fault: (passing: Passing) => Fault;
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const seen: Passing[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    void bodyOf(request).then(async (body) => {
      const passing = { method: request.method ?? "", path: request.url ?? "", body };
      seen.push(passing);
      const fault = proxy.fault(passing);
      if (fault === "hang") return;
      if (typeof fault === "number") return void response.writeHead(fault).end();
      const answer = await pass(target, request, body);
      if (fault === "lost") return void request.socket.destroy();
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body);
    });
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: FaultProxy = {
    address: `http://127.0.0.1:${port}`,
    seen,
    fault: () => undefined,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

interface Passed {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

/** With the headers as they are: a signature covers the host. */
function pass(target: string, request: IncomingMessage, body: string): Promise<Passed> {
  return new Promise((resolve, reject) => {
    const { method, headers, url = "/" } = request;
    const sent = send(`${target}${url}`, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { "transfer-encoding": _, ...kept } = response.headers;
        resolve({ status: response.statusCode ?? 0, headers: kept, body: Buffer.concat(chunks) });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}
