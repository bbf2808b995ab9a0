import { type ErrorCode, UserError } from "../../src/errors.ts";
import type { Answer, Call, ExchangeFailure } from "./exchange.ts";

/** What a failure is told with: the store's name, and the request without its headers and body. */
export interface Told {
  readonly store: string;
  readonly address: string;
  readonly call: Call;
}

const CODE_OF_KIND: Record<ExchangeFailure["kind"], ErrorCode> = {
  network: "store-unavailable",
  timeout: "store-timeout",
  aborted: "store-timeout",
  untrusted: "store-untrusted",
  garbage: "store-answer",
};

const HINT_OF_KIND: Record<ExchangeFailure["kind"], (store: string) => string> = {
  network: (store) => `check the address and the network, then: mcp-secrets store check ${store}`,
  timeout: (store) => `check the address and the network, then: mcp-secrets store check ${store}`,
  aborted: (store) => `mcp-secrets store check ${store}`,
  untrusted: (store) => `set stores.${store}.caFile to the authority of the server, or mend its certificate`,
  garbage: (store) => `something else than Vault answers there: check stores.${store}.addresses in config.jsonc`,
};

/** No usable answer. */
export function failureToError(failure: ExchangeFailure, told: Told): UserError {
  const what = failure.kind === "garbage" ? `answered with ${failure.message}` : failure.message;
  return new UserError(
    CODE_OF_KIND[failure.kind],
    `store ${told.store}: ${told.address}: ${what} (${shown(told.call)})`,
    {
      hint: HINT_OF_KIND[failure.kind](told.store),
    },
  );
}

/** An answer without what it was asked with: what the callers of the transport see. */
export interface Reply extends Answer {
  /** `GET /v1/secret/data/x`. */
  readonly what: string;
  /** What the server says is wrong, in one short line, without anything that we sent as a secret. */
  readonly said: string;
}

export function toReply(answer: Answer, call: Call): Reply {
  return { ...answer, what: shown(call), said: serverMessage(answer, call) };
}

/** A reply that is a refusal; `hint` where the caller knows a better one. */
export function refusal(store: string, reply: Reply, hint?: string): UserError {
  const known = meaning(reply, store);
  const said = reply.said === "" ? "" : ` ${reply.said}`;
  return new UserError(known.code, `store ${store}: ${reply.what}: ${reply.status}${said}`, {
    hint: hint ?? known.hint,
  });
}

/** @throws UserError where the server did not answer 200 or 204 */
export function expectOk<T extends Reply>(store: string, reply: T, hint?: string): T {
  if (reply.status === 200 || reply.status === 204) return reply;
  throw refusal(store, reply, hint);
}

function meaning(answer: Answer, store: string): { code: ErrorCode; hint: string } {
  const check = `mcp-secrets store check ${store}`;
  const { status } = answer;
  if (status >= 300 && status < 400) {
    return {
      code: "store-untrusted",
      hint: `the server points to a host that is not in stores.${store}.addresses: add it there if it is yours`,
    };
  }
  if (status === 401 || status === 403) return { code: "store-denied", hint: check };
  if (status === 404) return { code: "secret-not-found", hint: check };
  if (status === 429 || status === 412 || status === 472 || status === 473) {
    return { code: "store-busy", hint: "try again in a few seconds" };
  }
  if (isSealed(answer)) return { code: "store-sealed", hint: "unseal it, then start again" };
  if (status >= 500) return { code: "store-unavailable", hint: check };
  return { code: status === 400 ? "refused" : "store-answer", hint: check };
}

/** 503 with this very text, or 501 before it was ever initialised. */
export function isSealed(answer: Answer): boolean {
  return answer.status === 501 || (answer.status === 503 && errorsOf(answer).some((text) => /sealed/i.test(text)));
}

/** What the server says is wrong; empty where it says nothing. */
export function errorsOf(answer: Answer): string[] {
  const { body } = answer;
  if (typeof body !== "object" || body === null || !("errors" in body) || !Array.isArray(body.errors)) return [];
  return body.errors.filter((each): each is string => typeof each === "string");
}

/** One short line of it, without anything that we sent as a secret: a server might say it back. */
function serverMessage(answer: Answer, call: Call): string {
  const line = errorsOf(answer)
    .join("; ")
    .replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, " ")
    .trim();
  return secretsOf(call)
    .reduce((text, secret) => text.replaceAll(secret, "[secret]"), line)
    .slice(0, 300);
}

function secretsOf(call: Call): string[] {
  const token = call.headers["X-Vault-Token"];
  const strings = [...(call.body ?? "").matchAll(/"((?:[^"\\]|\\.){6,})"(?!:)/g)].map(([, text]) => text ?? "");
  return [...(token === undefined ? [] : [token]), ...strings].toSorted((a, b) => b.length - a.length);
}

function shown(call: Call): string {
  return `${call.method} ${call.path}`;
}
