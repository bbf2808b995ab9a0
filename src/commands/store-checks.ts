import type { Context } from "../context.ts";
import type { Provider, SecretSummary } from "../core/provider.ts";
import { fieldOf, type SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import { refKey } from "../launch/references.ts";
import { openStore } from "../stores.ts";
import { type Check, firstOf, ok, problem } from "./check.ts";

const RESOLVE_DEADLINE = 10_000;

/** The stores as one `doctor` sees them: each is opened and listed once, each reference resolved once. */
export class StoreView {
  readonly #context: Context;
  readonly #stores = new Map<string, Promise<Store>>();
  readonly #refs = new Map<string, Promise<UserError | undefined>>();

  constructor(context: Context) {
    this.#context = context;
  }

  async checks(name: string): Promise<Check[]> {
    const { secrets } = await this.#open(name);
    const bad = [...secrets.values()].flatMap(({ problem: wrong }) => wrong ?? []);
    if (bad.length === 0) return [ok(`store ${name}`, `${secrets.size} secrets, all readable`)];
    return [problem(`store ${name}`, firstOf(bad, "; "), "mcp-secrets list")];
  }

  /** Why a reference gives no value; undefined where it gives one. */
  problemOf(ref: SecretRef): Promise<UserError | undefined> {
    const key = refKey(ref);
    const known = this.#refs.get(key) ?? this.#resolve(ref);
    this.#refs.set(key, known);
    return known;
  }

  /** What the list tells is not read a second time. */
  async #resolve(ref: SecretRef): Promise<UserError | undefined> {
    try {
      const { provider, secrets } = await this.#open(ref.store);
      const listed = secrets.get(ref.path);
      if (listed?.problem === undefined && listed?.fields.includes(fieldOf(ref)) === true) return undefined;
      await provider.resolve([ref], { deadline: this.#context.now() + RESOLVE_DEADLINE });
      return undefined;
    } catch (error) {
      if (error instanceof UserError) return error;
      throw error;
    }
  }

  #open(name: string): Promise<Store> {
    const known = this.#stores.get(name) ?? openListed(this.#context, name);
    this.#stores.set(name, known);
    return known;
  }
}

interface Store {
  readonly provider: Provider;
  /** By path. */
  readonly secrets: ReadonlyMap<string, SecretSummary>;
}

async function openListed(context: Context, name: string): Promise<Store> {
  const provider = await openStore(context, name);
  const secrets = (await provider.list?.()) ?? [];
  return { provider, secrets: new Map(secrets.map((secret) => [secret.path, secret])) };
}
