import { type Http, failureText } from "../../../core/http.ts";
import type { Fields } from "../../../core/provider.ts";
import type { Body, Contract, ContractCall, Json } from "./contract.ts";

/** What became of one request. */
export type Reply =
  | { readonly type: "answer"; readonly status: number; readonly json: Json }
  /** No usable answer; `sent` where it may have been done all the same. */
  | { readonly type: "none"; readonly reason: string; readonly sent: boolean };

export interface Sending {
  readonly http: Http;
  readonly contract: Contract;
  /** In place of every host of the contract. */
  readonly endpoint?: string;
  readonly ca?: string;
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Sent {
  readonly call: ContractCall;
  readonly credential: Fields;
  readonly path: string;
  readonly body?: Body;
}

/** Sends one request of a contract, once. What a vendor writes of it is not passed on: it might say a key back. */
export async function send({ http, contract, endpoint, ca, deadline, signal }: Sending, sent: Sent): Promise<Reply> {
  const { call, credential, path, body } = sent;
  const headers = call.headers ?? contract.auth;
  const { href: url, host } = new URL(path, endpoint ?? call.origin ?? contract.origin);
  const answer = await http({
    method: call.method,
    url,
    headers: {
      accept: "application/json",
      "user-agent": "mcp-secrets",
      ...headers(credential),
      ...(body !== undefined && { "content-type": TYPES[body.type] }),
    },
    ...(body !== undefined && { body: textOf(body) }),
    deadline,
    ...(signal !== undefined && { signal }),
    ...(ca !== undefined && { ca }),
  });
  if (answer.type === "failure") return { type: "none", reason: failureText(url, answer), sent: answer.sent };
  const { status } = answer;
  // 429 says that nothing was done; a redirect is not followed; 5xx does not say.
  if (status >= 500 || status === 408)
    return { type: "none", reason: `${host} answered with status ${status}`, sent: true };
  if (status === 429 || (status >= 300 && status < 400))
    return { type: "none", reason: `${host} answered with status ${status}`, sent: false };
  const json = parse(answer.text);
  if (json === undefined && status < 300 && answer.text !== "")
    return { type: "none", reason: `${host} answered with no JSON`, sent: true };
  return { type: "answer", status, json };
}

/** The path with every `{NAME}` filled in, percent-encoded, and a query added to what it has. */
export function fillPath(
  template: string,
  values: Readonly<Record<string, string>>,
  query: Readonly<Record<string, string>> = {},
): string {
  const path = template.replaceAll(/\{([A-Za-z]+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  const more = new URLSearchParams(query).toString();
  return more === "" ? path : `${path}${path.includes("?") ? "&" : "?"}${more}`;
}

const TYPES: Record<Body["type"], string> = {
  json: "application/json",
  form: "application/x-www-form-urlencoded",
};

function textOf(body: Body): string {
  return body.type === "json" ? JSON.stringify(body.value) : new URLSearchParams(body.value).toString();
}

function parse(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    // The parser's message quotes the text.
    return undefined;
  }
}
