/** One request to an API that is not a store: of a vendor, of a cloud. */
export interface HttpCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** https, or http to this machine. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  /** PEM of the authorities that may vouch for the server, instead of Node's own list. */
  readonly ca?: string;
}

export interface HttpAnswer {
  readonly type: "answer";
  readonly status: number;
  /** The media type in lower case, without parameters; empty where there is none. */
  readonly mediaType: string;
  readonly text: string;
}

/** Why there is no answer that can be used. The reason has no part of the request. */
export interface HttpFailure {
  readonly type: "failure";
  readonly kind: "network" | "timeout" | "untrusted" | "garbage";
  readonly reason: string;
  /** True where the server may have acted on the request. */
  readonly sent: boolean;
}

/**
 * Sends one request, once, on a connection of its own: follows no redirect, unpacks nothing, reads no proxy from the
 * environment, takes no more than a megabyte. Never throws for what the network or the server does.
 */
export type Http = (call: HttpCall) => Promise<HttpAnswer | HttpFailure>;

/** What some codes of the system mean, for a person. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host",
  EAI_AGAIN: "its name cannot be looked up at the moment",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was reset",
  EHOSTUNREACH: "no way to it",
  ENETUNREACH: "no way to it",
  ETIMEDOUT: "no connection in time",
  EPROTO: "no TLS that we speak",
};

/** Who gave no answer, and why, in one line. `url` is that of the call; of it only the host is told. */
export function failureText(url: string, { kind, reason }: Pick<HttpFailure, "kind" | "reason">): string {
  const meaning = MEANINGS[reason];
  const why = meaning === undefined ? reason : `${meaning} (${reason})`;
  const what = { network: " is not reached", untrusted: " is not trusted", timeout: "", garbage: "" }[kind];
  return `${new URL(url).host}${what}: ${why}`;
}
