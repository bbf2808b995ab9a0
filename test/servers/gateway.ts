import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Stands before a real server: the requests to it are counted, and a test decides what happens around each. */
export interface Gateway extends AsyncDisposable {
  readonly address: string;
  /** Requests so far. */
  readonly count: () => number;
  /** Called before request `number` (1 is the first) is handed on, and before its answer is. False: it is not. */
  around: (number: number, when: "before" | "after") => boolean;
}

const letPass: Gateway["around"] = () => true;

export async function startGateway(target: string): Promise<Gateway> {
  let count = 0;
  const server = createServer((incoming, response) => {
    void serve(incoming, response, (count += 1)).catch(() => response.destroy());
  });
  const gateway = {
    address: "",
    count: () => count,
    around: letPass,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function serve(incoming: IncomingMessage, response: ServerResponse, number: number): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    if (!gateway.around(number, "before")) return;
    const answer = await handOn(new URL(incoming.url ?? "/", target), incoming, Buffer.concat(chunks));
    if (!gateway.around(number, "after")) return;
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  gateway.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return gateway;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

function handOn(url: URL, { method, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(url, { method, headers: { ...headers, host: url.host }, agent: false }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => chunks.push(chunk));
      reply.on("end", () =>
        resolve({ status: reply.statusCode ?? 502, headers: reply.headers, body: Buffer.concat(chunks) }),
      );
      reply.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
