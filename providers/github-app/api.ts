import type { Http, HttpAnswer, HttpFailure } from "../../src/core/http.ts";
import type { ResolveRequest } from "../../src/core/provider.ts";
import type { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { failureToError, refusal } from "./failure.ts";

/** One request. `bearer` is a JWT of the app, or a token of the installation. */
export interface ApiCall {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly bearer: () => Secret;
  readonly body?: unknown;
  /** How often it may be sent where nobody knows whether an earlier try was carried out. */
  readonly unsure: number;
}

export interface ApiOptions {
  readonly store: string;
  /** Without a slash at the end. */
  readonly api: string;
  readonly http: Http;
  readonly now: () => number;
  /** A number in [0, 1). */
  readonly chance: () => number;
  readonly ca?: string;
}

export interface Api {
  /** The answer's JSON. @throws UserError where the status is not below 300, or there is no answer in time */
  send(call: ApiCall, request: ResolveRequest): Promise<unknown>;
}

/** Milliseconds, as for every store: tries of three seconds, 250 doubling between them. */
const PER_TRY = 3_000;
const FIRST_PAUSE = 250;
const LAST_PAUSE = 1_000;

export function createApi(options: ApiOptions): Api {
  return {
    async send(call, request) {
      for (let tries = 1, unsure = 0; ; tries += 1) {
        const outcome = await sendOnce(options, call, request);
        const error = errorOf(options.store, call, outcome);
        if (error === undefined) return outcome.type === "answer" ? parse(options.store, call, outcome) : undefined;
        if (mayHaveWorked(outcome)) unsure += 1;
        const pause = Math.min(LAST_PAUSE, FIRST_PAUSE * 2 ** (tries - 1)) * (1 + options.chance() / 2);
        const again = isPassing(outcome) && unsure < call.unsure && options.now() + pause < request.deadline;
        if (!again || request.signal?.aborted === true) throw error;
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    },
  };
}

function sendOnce(options: ApiOptions, call: ApiCall, { deadline, signal }: ResolveRequest) {
  const { api, http, now, ca } = options;
  const body = call.body === undefined ? undefined : JSON.stringify(call.body);
  return http({
    method: call.method,
    url: `${api}${call.path}`,
    headers: {
      accept: "application/vnd.github+json",
      "x-github-api-version": "2022-11-28",
      // GitHub refuses requests without one.
      "user-agent": "mcp-secrets",
      authorization: `Bearer ${call.bearer().expose()}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body }),
    deadline: Math.min(deadline, now() + PER_TRY),
    ...(signal !== undefined && { signal }),
    ...(ca !== undefined && { ca }),
  });
}

function errorOf(store: string, call: ApiCall, outcome: HttpAnswer | HttpFailure): UserError | undefined {
  const what = `${call.method} ${call.path}`;
  if (outcome.type === "failure") return failureToError(store, what, outcome);
  return outcome.status < 300 ? undefined : refusal(store, what, outcome);
}

/** The network, or GitHub's own trouble: it may be over at the next try. */
function isPassing(outcome: HttpAnswer | HttpFailure): boolean {
  if (outcome.type === "answer") return outcome.status >= 500;
  return outcome.kind === "network" || outcome.kind === "timeout";
}

function mayHaveWorked(outcome: HttpAnswer | HttpFailure): boolean {
  return outcome.type === "answer" || outcome.sent;
}

function parse(store: string, call: ApiCall, { text }: HttpAnswer): unknown {
  if (text === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    // The parser's message quotes the text.
    throw new UserError("store-answer", `store ${store}: ${call.method} ${call.path}: a body that is not JSON`, {
      hint: `something else than GitHub answers there: check stores.${store}.endpoint in config.jsonc`,
    });
  }
}
