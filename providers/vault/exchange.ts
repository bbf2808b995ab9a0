import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { systemCode } from "../../src/errors.ts";

/** One request, all but its address. `path` begins with `/v1/` and is escaped. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  /** The JSON of the body; undefined where it is empty. */
  readonly body: unknown;
  /** What makes a read after this write see it, on any node (`X-Vault-Index`). */
  readonly index: string | undefined;
  /** Seconds. */
  readonly retryAfter: number | undefined;
  readonly location: string | undefined;
}

/** Why there was no answer that can be used. The message has no part of the request. */
export class ExchangeFailure extends Error {
  override readonly name = "ExchangeFailure";
  readonly kind: "network" | "timeout" | "aborted" | "untrusted" | "garbage";
  /** True where the server may have acted on the request. */
  readonly sent: boolean;

  constructor(kind: ExchangeFailure["kind"], message: string, sent: boolean) {
    super(message);
    this.kind = kind;
    this.sent = sent;
  }
}

export interface Limits {
  readonly milliseconds: number;
  readonly signal: AbortSignal | undefined;
}

/** What a node of the cluster is talked to through. */
export interface Wire {
  readonly origin: URL;
  readonly agent: Agent;
  readonly request: typeof httpRequest;
}

/** Large enough for a list of 100,000 names; what is larger is not for us. */
const MOST_BYTES = 4 * 1024 * 1024;

/** One wire to `address`; connections are kept for as long as the provider lives. */
export function plainWire(address: string): Wire {
  return { origin: new URL(address), agent: new Agent({ keepAlive: true }), request: httpRequest };
}

/**
 * Sends one request to one node, once. Follows nothing, unpacks nothing, reads no proxy from the environment.
 * @throws ExchangeFailure where there is no answer in time, or it is not what Vault answers
 */
export function exchange(wire: Wire, call: Call, limits: Limits): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = wire.request(wire.origin, optionsOf(wire, call));
    const progress = { sent: false };
    let over = false;
    const end = (finish: () => void) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      limits.signal?.removeEventListener("abort", abort);
      finish();
    };
    const fail = (failure: ExchangeFailure) =>
      end(() => {
        reject(failure);
        request.destroy();
      });
    const abort = () => fail(new ExchangeFailure("aborted", "given up", progress.sent));
    const late = () => fail(new ExchangeFailure("timeout", `no answer in ${limits.milliseconds} ms`, progress.sent));
    const timer = setTimeout(late, limits.milliseconds);
    limits.signal?.addEventListener("abort", abort);
    noteSent(request, wire, progress);
    request.on("error", (error) => fail(failureOf(error, progress.sent)));
    request.on("response", (response) => {
      collect(response).then(
        (answer) => end(() => resolve(answer)),
        (error: unknown) => fail(failureOf(error, true)),
      );
    });
    if (limits.signal?.aborted) abort();
    else request.end(call.body);
  });
}

function optionsOf(wire: Wire, call: Call) {
  const body = call.body === undefined ? {} : bodyHeaders(call.body);
  return {
    method: call.method,
    path: call.path,
    agent: wire.agent,
    headers: { accept: "application/json", "accept-encoding": "identity", ...body, ...call.headers },
  };
}

function bodyHeaders(body: string) {
  return { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
}

/** Until the connection stands, the server cannot have seen the request. */
function noteSent(request: ClientRequest, wire: Wire, progress: { sent: boolean }): void {
  const stands = wire.origin.protocol === "https:" ? "secureConnect" : "connect";
  const sent = () => {
    progress.sent = true;
  };
  request.on("socket", (socket) => (request.reusedSocket ? sent() : socket.once(stands, sent)));
}

async function collect(response: IncomingMessage): Promise<Answer> {
  refuseEncoding(response.headers["content-encoding"]);
  const bytes = await bytesOf(response);
  const status = response.statusCode ?? 0;
  return {
    status,
    body: status >= 300 && status < 400 ? undefined : parse(bytes, response),
    index: first(response.headers["x-vault-index"]),
    retryAfter: secondsOf(response.headers["retry-after"]),
    location: response.headers.location,
  };
}

/** By its events: the first `for await` over a stream costs a launch a millisecond more. */
function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    response.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MOST_BYTES) reject(garbage(`more than ${MOST_BYTES} bytes`));
      else chunks.push(chunk);
    });
    response.once("end", () => resolve(Buffer.concat(chunks)));
    response.once("error", reject);
    response.once("close", () => reject(new ExchangeFailure("network", "the connection was closed", true)));
  });
}

/** We asked for `identity`: anything else was not asked for, and might unpack to any size. */
function refuseEncoding(encoding: string | undefined): void {
  if (encoding !== undefined && encoding !== "identity") throw garbage("a compressed body that was not asked for");
}

function parse(bytes: Buffer, response: IncomingMessage): unknown {
  if (bytes.length === 0) return undefined;
  const type = response.headers["content-type"] ?? "no type";
  if (!/^application\/json\b/i.test(type))
    throw garbage(`status ${response.statusCode} and ${printable(type)}, not JSON`);
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return value;
  } catch {
    // The parser's message quotes the text.
    throw garbage("a body that is not JSON");
  }
}

function failureOf(error: unknown, sent: boolean): ExchangeFailure {
  if (error instanceof ExchangeFailure) return error;
  const code = systemCode(error) ?? "unknown error";
  const kind = /CERT|^UNABLE_TO_|^ERR_TLS|^ERR_SSL|^EPROTO$/.test(code) ? "untrusted" : "network";
  const garbled = code.startsWith("HPE_");
  return new ExchangeFailure(garbled ? "garbage" : kind, garbled ? "no HTTP" : code, sent);
}

function garbage(message: string): ExchangeFailure {
  return new ExchangeFailure("garbage", message, true);
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 60);
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,4}$/.test(header) ? Number(header) : undefined;
}
