import { type ClientRequest, type IncomingMessage, request as plainRequest } from "node:http";
import { request as tlsRequest } from "node:https";
import { isAddress } from "../core/address.ts";
import type { Http, HttpAnswer, HttpCall, HttpFailure } from "../core/http.ts";
import { systemCode } from "../errors.ts";

/** What an API answers about one credential is some kilobytes. */
const MOST_BYTES = 1024 * 1024;

export function createHttp(now: () => number): Http {
  return (call) => {
    if (!isAddress(new URL(call.url).origin))
      throw new Error("an address that is neither https nor this machine's own");
    return exchange(call, call.deadline - now());
  };
}

function exchange(call: HttpCall, milliseconds: number): Promise<HttpAnswer | HttpFailure> {
  if (milliseconds <= 0) return Promise.resolve(failure("timeout", "no time left", false));
  return new Promise((resolve) => {
    const request = open(call);
    const progress = { sent: false };
    const end = (outcome: HttpAnswer | HttpFailure) => {
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", abort);
      resolve(outcome);
      request.destroy();
    };
    const abort = () => end(failure("timeout", "given up", progress.sent));
    const late = () => end(failure("timeout", `no answer in ${Math.ceil(milliseconds / 1000)} s`, progress.sent));
    const timer = setTimeout(late, milliseconds);
    call.signal?.addEventListener("abort", abort);
    noteSent(request, call, progress);
    request.on("error", (error) => end(failureOf(error, progress.sent)));
    request.on("response", (response) => {
      collect(response).then(end, (error: unknown) => end(failureOf(error, true)));
    });
    if (call.signal?.aborted === true) abort();
    else request.end(call.body);
  });
}

/** `rejectUnauthorized` is said outright, so that `NODE_TLS_REJECT_UNAUTHORIZED` has no say. */
function open(call: HttpCall): ClientRequest {
  const url = new URL(call.url);
  const length = call.body === undefined ? {} : { "content-length": Buffer.byteLength(call.body) };
  const headers = { "accept-encoding": "identity", ...length, ...call.headers };
  const options = { method: call.method, agent: false, headers };
  if (url.protocol === "http:") return plainRequest(url, options);
  const ca = call.ca === undefined ? {} : { ca: call.ca };
  return tlsRequest(url, { ...options, rejectUnauthorized: true, minVersion: "TLSv1.2", ...ca });
}

/** Until the connection stands, the server cannot have seen the request. */
function noteSent(request: ClientRequest, call: HttpCall, progress: { sent: boolean }): void {
  const stands = call.url.startsWith("https:") ? "secureConnect" : "connect";
  request.on("socket", (socket) =>
    socket.once(stands, () => {
      progress.sent = true;
    }),
  );
}

async function collect(response: IncomingMessage): Promise<HttpAnswer | HttpFailure> {
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") return failure("garbage", "a compressed body that was not asked for", true);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > MOST_BYTES) return failure("garbage", `more than ${MOST_BYTES} bytes`, true);
    chunks.push(chunk);
  }
  return {
    type: "answer",
    status: response.statusCode ?? 0,
    mediaType: (response.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "",
    text: Buffer.concat(chunks).toString("utf8"),
  };
}

function failureOf(error: unknown, sent: boolean): HttpFailure {
  const code = systemCode(error) ?? "unknown error";
  if (code.startsWith("HPE_")) return failure("garbage", "no HTTP", true);
  const untrusted = /CERT|^UNABLE_TO_|^ERR_TLS|^ERR_SSL|^EPROTO$|^DEPTH_ZERO/.test(code);
  return failure(untrusted ? "untrusted" : "network", code, sent);
}

function failure(kind: HttpFailure["kind"], reason: string, sent: boolean): HttpFailure {
  return { type: "failure", kind, reason, sent };
}
