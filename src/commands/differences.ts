import type { Context } from "../context.ts";
import { parseRef, SCHEME } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { percentDecode } from "../core/url.ts";
import { UserError } from "../errors.ts";
import type { Restored } from "../migrate/restore.ts";
import { openStore } from "../stores.ts";

/** How long the store may take to say what it has now, in milliseconds. */
const STORE_DEADLINE = 10_000;

/** What a config gets back that is not what it has now: the user must hear of it. */
export interface Differences {
  /** References of which the store has another value by now than the one that comes back. */
  readonly newer: readonly string[];
  /** References that come back and lead to nothing. */
  readonly lost: readonly string[];
}

export async function differences(context: Context, { secrets }: Restored): Promise<Differences> {
  const newer: string[] = [];
  const lost: string[] = [];
  for (const [text, was] of secrets) {
    const now = await valueOf(context, text);
    if (!was.startsWith(SCHEME)) {
      const same = [was, percentDecode(was)].some((value) => value !== undefined && now?.equals(new Secret(value)));
      // What the store has no more is no newer value.
      if (now !== undefined && !same) newer.push(text);
      continue;
    }
    const before = await valueOf(context, was);
    if (before === undefined) lost.push(was);
    else if (now?.equals(before) === false) newer.push(text);
  }
  return { newer, lost: [...new Set(lost)] };
}

async function valueOf(context: Context, text: string): Promise<Secret | undefined> {
  const ref = parseRef(text);
  try {
    const provider = await openStore(context, ref.store);
    const [found] = await provider.resolve([ref], { deadline: context.now() + STORE_DEADLINE });
    return found?.value;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return undefined;
  }
}
