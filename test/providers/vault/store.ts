import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { openSeal } from "../../../providers/local/seal.ts";
import { hashOf } from "../../../providers/vault/reading.ts";
import { open } from "../../../providers/vault/provider.ts";
import type { StoreOptions } from "../../../src/core/provider.ts";
import { createFiles } from "../../../src/io/files.ts";
import { createHttp } from "../../../src/io/http.ts";
import { createLock } from "../../../src/io/locks.ts";
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
    lookUp: () => expect.unreachable("no other store is needed"),
    http: createHttp(Date.now),
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

/** Where launches of a home share what they read. */
export function memoryOf(home: string): string {
  return `/dev/shm/mcp-secrets-${statSync(home).uid}-${hashOf(home).slice(0, 16)}`;
}

/** A store that logs in with the root token, which lies in its token file. */
export function rootStore(bao: OpenBao, settings: Readonly<Record<string, unknown>> = {}): TestStore {
  const ca = bao.caFile === undefined ? {} : { caFile: bao.caFile };
  const store = testStore({ settings: { addresses: bao.address, ...ca, launch: "none", ...settings } });
  store.file(".vault-token", ROOT_TOKEN);
  return store;
}
