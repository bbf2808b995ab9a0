import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { open } from "../../../providers/github-app/provider.ts";
import { openSeal } from "../../../providers/local/seal.ts";
import type { LeaseJournal, StoreOptions } from "../../../src/core/provider.ts";
import { Secret } from "../../../src/core/secret.ts";
import { createFiles } from "../../../src/io/files.ts";
import { createHttp } from "../../../src/io/http.ts";
import { createLock } from "../../../src/io/locks.ts";
import { APP, INSTALLATION } from "../../servers/github.ts";

export const TOKENS = {
  reader: { repositories: ["app"], permissions: { contents: "read" } },
  writer: { repositories: ["app", "site"], permissions: { contents: "write", issues: "write" } },
  everywhere: { allRepositories: true, permissions: { issues: "read" } },
};

/** A store named `gh` with a home of its own, gone after the test; the private key lies in no store here. */
export function testStore(privateKey: string, settings: Readonly<Record<string, unknown>>) {
  const home = mkdtempSync(join(tmpdir(), "github-home-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const random = () => randomBytes(8).toString("hex");
  const files = createFiles({ platform: process.platform, random });
  const lock = createLock({ pid: process.pid, now: Date.now, random });
  const local = { store: "local", home, files, lock, now: Date.now };
  const options: StoreOptions = {
    ...local,
    store: "gh",
    userHome: home,
    settings: {
      app: APP,
      installation: INSTALLATION,
      key: "mcp-secret://local/github-app",
      tokens: TOKENS,
      ...settings,
    },
    platform: process.platform,
    host: "test-host",
    chance: () => 0,
    lookUp: async () => ({ value: new Secret(privateKey) }),
    http: createHttp(Date.now),
    openSeal: async () => openSeal(local),
  };
  return { home, options, open: () => open(options) };
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
