import type { LeaseJournal, Provider, ResolveRequest } from "../../src/core/provider.ts";
import { parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";

/** What the tests of every provider ask with, and look at the answers with. */

export function request(milliseconds = 10_000): ResolveRequest {
  return { deadline: Date.now() + milliseconds };
}

/** The values of `texts`, which are references. */
export async function valuesOf(provider: Pick<Provider, "resolve">, ...texts: string[]): Promise<string[]> {
  const resolved = await provider.resolve(texts.map(parseRef), request());
  return resolved.map(({ value }) => value.expose());
}

export function secrets(fields: Readonly<Record<string, string>>): Record<string, Secret> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, new Secret(value)]));
}

/** The error that the work ends in; fails the test where it ends in none, or in a bug. */
export async function failureOf(work: () => Promise<unknown>): Promise<UserError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** A journal that remembers what it was told, in order. */
export function memoryJournal(): LeaseJournal & { readonly events: string[] } {
  const events: string[] = [];
  return {
    events,
    intent: async () => void events.push("intent"),
    made: async (credential) => void events.push(`made ${credential.id}`),
    leased: async (lease) => void events.push(`leased ${lease.id}`),
    refused: (what) => void events.push(`refused ${what}`),
  };
}
