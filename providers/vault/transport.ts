import { UserError } from "../../src/errors.ts";
import { type Answer, type Call, exchange, ExchangeFailure, type Limits, type Wire } from "./exchange.ts";
import { errorsOf, failureToError, isSealed, refusal, type Reply, toReply } from "./failure.ts";

/** How long one call may take, and whether it may be made twice. */
export interface Patience {
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  /** False where a second call would do harm: then it is repeated only if the server cannot have seen the first. */
  readonly repeatable: boolean;
  /** Milliseconds for one try, where fewer than usual. */
  readonly perTry?: number;
}

export interface Sent extends Reply {
  /** True where an earlier try may have been carried out without our learning of it. */
  readonly repeated: boolean;
}

/** The way to a cluster. */
export interface Transport {
  /**
   * The answer, whatever its status below 500 says, after as many tries as are safe and fit.
   * @throws UserError store-unavailable, store-timeout, store-sealed, store-busy, store-untrusted or store-answer
   */
  send(call: Call, patience: Patience): Promise<Sent>;
  close(): void;
}

export interface TransportOptions {
  readonly store: string;
  readonly wires: readonly Wire[];
  readonly now: () => number;
  /** A number in [0, 1). */
  readonly chance: () => number;
}

const PER_TRY = 3_000;
const IN_ALL = 10_000;
const FIRST_PAUSE = 250;
/** An election takes seconds: pauses that went on doubling would end a launch long before its time is up. */
const LAST_PAUSE = 1_000;
const MOST_HOPS = 3;

/** What one try came to: the end of it, or a reason to try again. */
type Outcome = { readonly answer: Reply } | { readonly error: UserError; readonly again: Again };
/** `never`; `round`: once at every node, for it is the node that will not; `always`: until the time is up. */
interface Again {
  readonly when: "never" | "round" | "always";
  readonly sent: boolean;
  /** Milliseconds that the server asks us to wait. */
  readonly pause?: number;
}

export function createTransport(options: TransportOptions): Transport {
  const { wires, now, chance } = options;
  // The node that answered last is asked first.
  let preferred = 0;

  async function send(call: Call, patience: Patience): Promise<Sent> {
    const end = Math.min(patience.deadline, now() + IN_ALL);
    const first = preferred;
    let repeated = false;
    for (let tries = 1; ; tries++) {
      const milliseconds = Math.min(patience.perTry ?? PER_TRY, end - now());
      if (milliseconds <= 0) throw outOfTime(options.store, call);
      const node = (first + tries - 1) % wires.length;
      const outcome = await attempt(call, node, { milliseconds, signal: patience.signal });
      if ("answer" in outcome) return { ...outcome.answer, repeated };
      const { again, error } = outcome;
      if (!mayRepeat(again, patience, tries, wires.length)) throw error;
      const pause = pauseBefore(tries, again.pause);
      if (now() + pause >= end) throw error;
      await sleep(pause, patience.signal);
      repeated ||= again.sent;
    }
  }

  /** One node, and the leader it may point to, as long as that is one of ours. */
  async function attempt(call: Call, first: number, limits: Limits): Promise<Outcome> {
    let node = first;
    for (let hops = 0; ; hops++) {
      const wire = wireAt(wires, node);
      try {
        const answer = await exchange(wire, call, limits);
        const leader = answer.status === 307 && hops < MOST_HOPS ? leaderOf(answer, call, wires) : -1;
        if (leader < 0) {
          preferred = node;
          return judge(options.store, toReply(answer, call));
        }
        node = leader;
      } catch (error) {
        if (!(error instanceof ExchangeFailure)) throw error;
        const when = error.kind === "network" || error.kind === "timeout" ? "always" : "never";
        const told = { store: options.store, address: wire.origin.origin, call };
        return { error: failureToError(error, told), again: { when, sent: error.sent } };
      }
    }
  }

  /** A node that was not asked yet is asked at once; after a round of them we wait, each round longer than the last. */
  function pauseBefore(tries: number, asked: number | undefined): number {
    if (asked !== undefined) return asked;
    if (tries % wires.length !== 0) return 0;
    return Math.min(LAST_PAUSE, FIRST_PAUSE * 2 ** (tries / wires.length - 1)) * (1 + chance() / 2);
  }

  return {
    send,
    close: () => {
      for (const { agent } of wires) agent.destroy();
    },
  };
}

function judge(store: string, answer: Reply): Outcome {
  const { status } = answer;
  if (status >= 300 && status < 400) return { error: refusal(store, answer), again: { when: "never", sent: false } };
  if (isSealed(answer)) return { error: refusal(store, answer), again: { when: "round", sent: false } };
  // 412 and 429 say that nothing was done; 5xx does not say.
  const wait = answer.retryAfter === undefined ? {} : { pause: answer.retryAfter * 1000 };
  if (status === 412 || status === 429)
    return { error: refusal(store, answer), again: { when: "always", sent: false, ...wait } };
  if (status >= 500) return { error: refusal(store, answer), again: { when: "always", sent: true } };
  if (isUpgrading(answer)) return { error: refusal(store, answer), again: { when: "always", sent: false } };
  return { answer };
}

/** A KV mount that was made a moment ago may refuse the first calls: `Upgrading …`, at a standby `Waiting …`. */
function isUpgrading(answer: Answer): boolean {
  return (
    answer.status === 400 && errorsOf(answer).some((text) => text.includes("from non-versioned to versioned data"))
  );
}

function mayRepeat(again: Again, patience: Patience, tries: number, nodes: number): boolean {
  if (again.when === "never" || (again.sent && !patience.repeatable)) return false;
  return again.when === "always" || tries < nodes;
}

/** Which of our nodes a redirect points to, for the very same request; -1 for anything else. */
function leaderOf(answer: Answer, call: Call, wires: readonly Wire[]): number {
  if (answer.location === undefined || !URL.canParse(answer.location)) return -1;
  const target = new URL(answer.location);
  if (`${target.pathname}${target.search}` !== call.path) return -1;
  return wires.findIndex((wire) => wire.origin.origin === target.origin);
}

function wireAt(wires: readonly Wire[], index: number): Wire {
  const wire = wires[index];
  if (wire === undefined) throw new Error("a store has at least one address");
  return wire;
}

function outOfTime(store: string, call: Call): UserError {
  return new UserError("store-timeout", `store ${store}: no time left for ${call.method} ${call.path}`, {
    hint: `mcp-secrets store check ${store}`,
  });
}

/** Waits, less if the signal comes first. */
function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}
