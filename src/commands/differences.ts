import type { Context } from "../context.ts";
import { inParallel } from "../core/parallel.ts";
import { parseRef, SCHEME, type SecretRef } from "../core/ref.ts";
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
  const references = [...secrets].flat().filter((text) => text.startsWith(SCHEME));
  const found = await valuesOf(context, [...new Set(references)]);
  const valueOf = (text: string): Found => found.get(text) ?? "unknown";
  for (const [text, was] of secrets) {
    const now = valueOf(text);
    const before = was.startsWith(SCHEME) ? valueOf(was) : new Secret(was);
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

/** Each store is opened once, and asked for all it has in one question. */
async function valuesOf(context: Context, texts: readonly string[]): Promise<ReadonlyMap<string, Found>> {
  const refs = texts.map(parseRef);
  const stores = [...new Set(refs.map(({ store }) => store))];
  const found = stores.map(async (store): Promise<[string, Found][]> => {
    const here = texts.filter((_, at) => refs[at]?.store === store);
    const values = await valuesIn(context, store, here.map(parseRef));
    return here.map((text, at) => [text, values[at] ?? "unknown"]);
  });
  return new Map((await Promise.all(found)).flat());
}

async function valuesIn(context: Context, store: string, refs: readonly SecretRef[]): Promise<readonly Found[]> {
  const provider = await orWhy(openStore(context, store));
  if (typeof provider === "string") return refs.map(() => provider);
  const request = { deadline: context.now() + STORE_DEADLINE };
  const all = await orWhy(provider.resolve(refs, request));
  if (typeof all !== "string") return all.map(({ value }) => value);
  // One that is missing refuses them all.
  return inParallel(refs, async (ref) => {
    const one = await orWhy(provider.resolve([ref], request));
    return typeof one === "string" ? one : (one[0]?.value ?? "unknown");
  });
}

async function orWhy<T>(work: Promise<T>): Promise<T | "missing" | "unknown"> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return MISSING.has(error.code) ? "missing" : "unknown";
  }
}

const MISSING: ReadonlySet<ErrorCode> = new Set(["secret-not-found", "secret-deleted", "store-unknown"]);
