import type { Context } from "../context.ts";
import { parseRef, SCHEME } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { percentDecode } from "../core/url.ts";
import { type ErrorCode, UserError } from "../errors.ts";
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
  const lost = new Set<string>();
  for (const [text, was] of secrets) {
    const now = await valueOf(context, text);
    const before = was.startsWith(SCHEME) ? await valueOf(context, was) : new Secret(was);
    if (before === "missing") lost.add(was);
    // What a store does not have, or does not tell, is no newer value.
    else if (isOther(now, before) && isOther(now, decoded(was))) newer.push(text);
  }
  return { newer, lost: [...lost] };
}

/** A value, or why there is none. */
type Found = Secret | "missing" | "unknown";

function isOther(now: Found, before: Found): boolean {
  return typeof now === "object" && typeof before === "object" && !now.equals(before);
}

/** The store has the secret itself, the config may have its spelling in a URL. */
function decoded(was: string): Secret {
  return new Secret(percentDecode(was) ?? was);
}

async function valueOf(context: Context, text: string): Promise<Found> {
  const ref = parseRef(text);
  try {
    const provider = await openStore(context, ref.store);
    const [found] = await provider.resolve([ref], { deadline: context.now() + STORE_DEADLINE });
    return found?.value ?? "unknown";
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return MISSING.has(error.code) ? "missing" : "unknown";
  }
}

const MISSING: ReadonlySet<ErrorCode> = new Set(["secret-not-found", "secret-deleted", "store-unknown"]);
