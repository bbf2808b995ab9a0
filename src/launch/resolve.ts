import type { LaunchIdentity, LeaseJournal, Provider, ResolvedSecret, ResolveRequest } from "../core/provider.ts";
import { formatRef, type SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import type { StoreScope } from "./leases.ts";

/** The time that all stores together have for their answers, in milliseconds. */
const BUDGET = 10_000;
/** To give back what one store gave when another did not answer. */
const GIVE_BACK = 3_000;

export interface ResolveOptions {
  readonly launch: LaunchIdentity;
  readonly now: () => number;
  /** @throws UserError store-unknown */
  readonly openStore: (name: string) => Promise<Provider>;
  /** Where a store's leases are noted before they are used. */
  readonly journalFor: (store: string) => LeaseJournal;
}

export interface Resolution {
  /** In the order of the references. */
  readonly secrets: readonly ResolvedSecret[];
  /** Of the stores that give launches something to give back. */
  readonly scopes: readonly StoreScope[];
}

/**
 * The secrets behind the references: one question to each store that is named, all at once.
 * @throws UserError as the stores do; what was given until then is given back
 */
export async function resolveAll(refs: readonly SecretRef[], options: ResolveOptions): Promise<Resolution> {
  const request = { launch: options.launch, deadline: options.now() + BUDGET };
  const stores = [...new Set(refs.map(({ store }) => store))];
  const scopes: StoreScope[] = [];
  const answers = await Promise.allSettled(
    stores.map((store) =>
      ask(
        store,
        refs.filter((ref) => ref.store === store),
        { ...options, request, scopes },
      ),
    ),
  );
  try {
    const secrets = answers.flatMap((answer) => {
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    });
    return { secrets: refs.map((ref) => answerFor(ref, secrets)), scopes };
  } catch (error) {
    await giveUp(scopes, options.now() + GIVE_BACK);
    throw error;
  }
}

type Asking = ResolveOptions & { readonly request: ResolveRequest; readonly scopes: StoreScope[] };

async function ask(store: string, refs: readonly SecretRef[], asking: Asking): Promise<readonly ResolvedSecret[]> {
  const provider = await asking.openStore(store);
  if (provider.scope === undefined) return provider.resolve(refs, asking.request);
  const scope = await provider.scope(asking.launch, { ...asking.request, refs }, asking.journalFor(store));
  const at = asking.scopes.push({ store, scope, secrets: [] }) - 1;
  const secrets = await scope.resolve(refs, asking.request);
  asking.scopes[at] = { store, scope, secrets };
  return secrets;
}

/** Ends every scope, so that a launch that fails holds nothing. */
async function giveUp(scopes: readonly StoreScope[], deadline: number): Promise<void> {
  const leases = ({ secrets }: StoreScope) => secrets.flatMap(({ lease }) => lease ?? []);
  await Promise.all(scopes.map((one) => one.scope.end(leases(one), { deadline })));
}

function answerFor(ref: SecretRef, answers: readonly ResolvedSecret[]): ResolvedSecret {
  const text = formatRef(ref);
  const found = answers.find((answer) => formatRef(answer.ref) === text);
  if (found !== undefined) return found;
  throw new UserError("secret-not-found", `the store gave no answer for ${text}`, { hint: `mcp-secrets get ${text}` });
}
