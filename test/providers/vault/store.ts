import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { openSeal } from "../../../providers/local/seal.ts";
import { open } from "../../../providers/vault/provider.ts";
import type { LeaseJournal, Provider, ResolveRequest, StoreOptions } from "../../../src/core/provider.ts";
import { parseRef } from "../../../src/core/ref.ts";
import { Secret } from "../../../src/core/secret.ts";
import { UserError } from "../../../src/errors.ts";
import { createFiles } from "../../../src/io/files.ts";
import { createLock } from "../../../src/io/locks.ts";
import { memoryOf } from "../../helpers/memory.ts";
import { type OpenBao, ROOT_TOKEN } from "../../servers/openbao.ts";

/** A home for one store, and the provider over it. */
export interface TestStore {
  readonly home: string;
  readonly options: StoreOptions;
  open(): ReturnType<typeof open>;
  /** Writes a private file under the home and returns its path. */
  file(name: string, text: string, mode?: number): string;
}

export interface StoreSetup {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly options?: Partial<StoreOptions>;
}

/** A store named `team` with a home of its own, gone after the test. */
export function testStore({ settings, options = {} }: StoreSetup): TestStore {
  const home = mkdtempSync(join(tmpdir(), "vault-home-"));
  onTestFinished(() => [home, memoryOf(home)].forEach((folder) => rmSync(folder, { recursive: true, force: true })));
  const random = () => randomBytes(8).toString("hex");
  const host = {
    home,
    files: createFiles({ platform: process.platform, random }),
    lock: createLock({ pid: process.pid, now: Date.now, random }),
    now: Date.now,
  };
  const whole: StoreOptions = {
    ...host,
    store: "team",
    userHome: home,
    openSeal: async () => openSeal({ ...host, store: "local" }),
    settings,
    platform: process.platform,
    host: "test-host",
    chance: Math.random,
    ...options,
  };
  return {
    home,
    options: whole,
    async open() {
      const provider = await open(whole);
      onTestFinished(() => provider.close());
      return provider;
    },
    file(name, text, mode = 0o600) {
      const path = join(home, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    },
  };
}

/** A store that logs in with the root token, which lies in its token file. */
export function rootStore(bao: OpenBao, settings: Readonly<Record<string, unknown>> = {}): TestStore {
  const ca = bao.caFile === undefined ? {} : { caFile: bao.caFile };
  const store = testStore({ settings: { addresses: bao.address, ...ca, launch: "none", ...settings } });
  store.file(".vault-token", ROOT_TOKEN);
  return store;
}

export function request(milliseconds = 10_000): ResolveRequest {
  return { deadline: Date.now() + milliseconds };
}

/** The values of `texts`, which are references. */
export async function valuesOf(provider: Provider, ...texts: string[]): Promise<string[]> {
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
  };
}
