import type { ResolveRequest } from "../../src/core/provider.ts";
import { TRY_TIME } from "./credentials.ts";
import { type Call, failureToError, isTransient } from "./failure.ts";

/** What is passed to a client's `send`. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
}

export interface Calls {
  /**
   * Tries until there is an answer, the deadline is near, or trying again would not help.
   * @throws UserError
   */
  send<T>(call: Call, request: ResolveRequest, attempt: (options: CallOptions) => Promise<T>): Promise<T>;
}

/** Milliseconds: 250 doubling, less up to a half by chance, 1 s at most: a launch has ten in all. */
const FIRST_PAUSE = 250;
const LAST_PAUSE = 1000;

/**
 * Each operation that we send may be sent twice: reads, writes with a token, and the like. A clock that is off is put
 * right by the SDK from the first answer, so that this too is worth a second try.
 */
export function createCalls(store: string, now: () => number, chance: () => number): Calls {
  async function tryOnce<T>(request: ResolveRequest, attempt: (options: CallOptions) => Promise<T>): Promise<T> {
    const left = request.deadline - now();
    const late = AbortSignal.timeout(Math.max(1, Math.min(TRY_TIME, left)));
    const signal = request.signal === undefined ? late : AbortSignal.any([late, request.signal]);
    // Credentials are fetched before the client looks at the signal: the race ends that as well.
    return Promise.race([attempt({ abortSignal: signal }), aborted(signal)]);
  }
  return {
    async send(call, request, attempt) {
      for (let failures = 0; ; failures += 1) {
        try {
          return await tryOnce(request, attempt);
        } catch (error) {
          const pause = pauseAfter(failures, chance());
          const stop = request.signal?.aborted === true || now() + pause >= request.deadline;
          if (stop || !isTransient(error)) throw failureToError(store, call, error);
          await new Promise((resolve) => setTimeout(resolve, pause));
        }
      }
    },
  };
}

function pauseAfter(failures: number, chance: number): number {
  return Math.min(LAST_PAUSE, FIRST_PAUSE * 2 ** failures) * (1 - chance / 2);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new DOMException("no answer in time", "TimeoutError"));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
