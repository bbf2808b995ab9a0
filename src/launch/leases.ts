import { nextStep, stoppedGrowing, type Term } from "../core/lease.ts";
import type { LaunchScope, Lease, Remains, ResolvedSecret, ResolveRequest } from "../core/provider.ts";
import { formatRef } from "../core/ref.ts";
import { type ErrorCode, UserError } from "../errors.ts";

/** What one store gave a launch: the scope, and what was read with it. */
export interface StoreScope {
  readonly store: string;
  readonly scope: LaunchScope;
  readonly secrets: readonly ResolvedSecret[];
}

export interface TendingOptions {
  readonly now: () => number;
  /** A number in [0, 1). */
  readonly chance: () => number;
  /** Calls `act` after some milliseconds. */
  readonly after: (milliseconds: number, act: () => void) => void;
  /** A credential is about to end, or has ended. */
  readonly ending: (what: string, at: number) => void;
}

export interface Tending {
  /** Leases that were fetched for when the first ones end, by the path that they came from. */
  readonly ready: ReadonlyMap<string, readonly ResolvedSecret[]>;
  /** Stops tending and gives everything back; what could not be, by store. Called once or more: the first call works. */
  end(): Promise<Readonly<Record<string, Remains>>>;
}

/** For one request while the server lives, and for all of them at the end, in milliseconds. */
const REQUEST_TIME = 10_000;
const END_TIME = 3_000;
/** Timers do not reach further. */
const LONGEST = 2 ** 31 - 1;

/** Something that ends, and how its end is moved. Both return the new term. */
interface Tended {
  readonly what: string;
  term: Term;
  readonly renew: () => Promise<Term | undefined>;
  readonly replace: (() => Promise<Term | undefined>) | undefined;
}

/** Renews what the launch holds while its server lives, each in its own time. */
export function tend(scopes: readonly StoreScope[], options: TendingOptions): Tending {
  const state = { over: false };
  const leases = new Map(scopes.map((one) => [one.store, leasesOf(one.secrets)]));
  const ready = new Map<string, readonly ResolvedSecret[]>();
  const request = (): ResolveRequest => ({ deadline: options.now() + REQUEST_TIME });
  for (const one of scopes) {
    const hold = (path: string, fresh: readonly ResolvedSecret[]) => {
      ready.set(`${one.store}/${path}`, fresh);
      leases.get(one.store)?.push(...leasesOf(fresh));
    };
    for (const item of tendedOf(one, { request, hold })) schedule(item, 0, { ...options, state });
  }
  let ended: Promise<Readonly<Record<string, Remains>>> | undefined;
  return {
    ready,
    end() {
      state.over = true;
      ended ??= giveBack(scopes, leases, { deadline: options.now() + END_TIME });
      return ended;
    },
  };
}

async function giveBack(
  scopes: readonly StoreScope[],
  leases: ReadonlyMap<string, readonly Lease[]>,
  request: ResolveRequest,
): Promise<Readonly<Record<string, Remains>>> {
  const left = await Promise.all(
    scopes.map(async ({ store, scope }) => [store, await scope.end(leases.get(store) ?? [], request)] as const),
  );
  return Object.fromEntries(left);
}

interface Holding {
  readonly request: () => ResolveRequest;
  readonly hold: (path: string, fresh: readonly ResolvedSecret[]) => void;
}

function tendedOf(one: StoreScope, holding: Holding): Tended[] {
  const { scope, store } = one;
  const { credential } = scope;
  const own: Tended[] =
    credential === undefined
      ? []
      : [
          {
            what: `the token for store ${store}`,
            term: credential,
            renew: () => scope.extend(holding.request()),
            replace: undefined,
          },
        ];
  return [...own, ...leasesOf(one.secrets).map((lease) => tendedLease(one, lease, holding))];
}

function tendedLease({ scope, secrets }: StoreScope, first: Lease, { request, hold }: Holding): Tended {
  let lease = first;
  const refs = secrets.filter(({ ref }) => ref.path === first.ref.path).map(({ ref }) => ref);
  return {
    what: formatRef(first.ref),
    term: first,
    renew: async () => (lease = await scope.renew(lease, request())),
    async replace() {
      const fresh = await scope.resolve(refs, request());
      hold(first.ref.path, fresh);
      lease = leasesOf(fresh)[0] ?? lease;
      return lease;
    },
  };
}

type Scheduling = TendingOptions & { readonly state: { readonly over: boolean } };

function schedule(item: Tended, failures: number, scheduling: Scheduling): void {
  const { now, chance } = scheduling;
  arm(nextStep(item.term, now(), failures, chance()), item, failures, scheduling);
}

/** In several stretches, where one timer does not reach so far. */
function arm(step: Step, item: Tended, failures: number, scheduling: Scheduling): void {
  const { now, after, state } = scheduling;
  const wait = Math.max(0, step.at - now());
  after(Math.min(LONGEST, wait), () => {
    if (state.over) return;
    if (wait > LONGEST) arm(step, item, failures, scheduling);
    else void take(step, item, failures, scheduling);
  });
}

/** Nothing can be won back from what has ended, or was ended by somebody. */
const ENDED: ReadonlySet<ErrorCode> = new Set(["refused", "store-denied"]);

type Step = ReturnType<typeof nextStep>;

async function take(step: Step, item: Tended, failures: number, scheduling: Scheduling): Promise<void> {
  const { now, state, ending } = scheduling;
  try {
    if (step.type === "replace") return await replaceOrTell(item, scheduling);
    const asked = now();
    const term = await item.renew();
    if (term === undefined) return undefined;
    item.term = term;
    if (stoppedGrowing(term.duration, term.expiresAt - asked)) return await replaceOrTell(item, scheduling);
    return schedule(item, 0, scheduling);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (state.over) return undefined;
    const lost = ENDED.has(error.code) || now() >= item.term.expiresAt;
    if (lost) return ending(item.what, Math.min(now(), item.term.expiresAt));
    return schedule(item, failures + 1, scheduling);
  }
}

/** The server has the old one, and nobody can hand it another yet: the user is told, and the new one is kept ready. */
async function replaceOrTell(item: Tended, scheduling: Scheduling): Promise<void> {
  const { expiresAt } = item.term;
  scheduling.ending(item.what, expiresAt);
  const term = await item.replace?.();
  if (term === undefined) return;
  item.term = term;
  schedule(item, 0, scheduling);
}

function leasesOf(secrets: readonly ResolvedSecret[]): Lease[] {
  return [...new Map(secrets.flatMap(({ lease }) => (lease === undefined ? [] : [[lease.id, lease]]))).values()];
}
