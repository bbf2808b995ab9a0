import type { LaunchIdentity, Provider, ResolvedSecret } from "../core/provider.ts";
import { formatRef, type SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";

/** The time that all stores together have for their answers, in milliseconds. */
const BUDGET = 10_000;

export interface ResolveOptions {
  readonly launch: LaunchIdentity;
  readonly now: () => number;
  /** @throws UserError store-unknown */
  readonly openStore: (name: string) => Promise<Provider>;
}

/**
 * The secrets behind the references, in their order: one question to each store that is named, all at once.
 * @throws UserError as the stores do
 */
export async function resolveAll(refs: readonly SecretRef[], options: ResolveOptions): Promise<ResolvedSecret[]> {
  const deadline = options.now() + BUDGET;
  const stores = [...new Set(refs.map(({ store }) => store))];
  const answers = await Promise.all(
    stores.map(async (store) => {
      const provider = await options.openStore(store);
      const own = refs.filter((ref) => ref.store === store);
      return provider.resolve(own, { launch: options.launch, deadline });
    }),
  );
  return refs.map((ref) => answerFor(ref, answers.flat()));
}

function answerFor(ref: SecretRef, answers: readonly ResolvedSecret[]): ResolvedSecret {
  const text = formatRef(ref);
  const found = answers.find((answer) => formatRef(answer.ref) === text);
  if (found !== undefined) return found;
  throw new UserError("secret-not-found", `the store gave no answer for ${text}`, { hint: `mcp-secrets get ${text}` });
}
