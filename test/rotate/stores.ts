import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { open as openAws } from "../../providers/aws/provider.ts";
import { open as openLocal } from "../../providers/local/index.ts";
import { openSeal } from "../../providers/local/seal.ts";
import { open as openVault } from "../../providers/vault/provider.ts";
import type { Provider, StoreOptions } from "../../src/core/provider.ts";
import { createFiles } from "../../src/io/files.ts";
import { createLock } from "../../src/io/locks.ts";
import { ROOT_TOKEN, startOpenBao } from "../servers/openbao.ts";
import { startStrictSecrets } from "../servers/strict-secrets.ts";
import { NOT_USED } from "./not-used.ts";
import type { WorkerJob } from "./worker.ts";

export type StoreKind = WorkerJob["store"];

/** A store that workers in other processes rotate in, and the way to look into it. */
export interface RotatedStore extends AsyncDisposable {
  readonly job: Pick<WorkerJob, "store" | "name" | "settings">;
  /** What its paths begin with. */
  readonly folder: string;
  readonly provider: Provider & Required<Pick<Provider, "put" | "read">>;
  /** The home of the user on one more machine, or on the first one. */
  machine(): string;
  /** What is sealed on the disks of all machines, opened; files that wait for a value are none. */
  spilled(): string[];
}

export async function startStore(kind: StoreKind): Promise<RotatedStore> {
  const root = mkdtempSync(join(tmpdir(), "mcps-rotated-"));
  const [settings, folder, server] = await backend(kind);
  const machines: string[] = [];
  const machine = () => {
    const home = join(root, `machine-${machines.length}`);
    for (const [name, text] of LOGINS) write(join(home, name), text);
    machines.push(home);
    return home;
  };
  // Secrets of the local store lie on the first machine.
  const home = machine();
  const name = kind === "local" ? "local" : "team";
  return {
    job: { store: kind, name, settings },
    folder,
    provider: await openFor(kind, optionsFor(home, name, settings)),
    machine: () => (kind === "local" ? home : machine()),
    spilled: () => machines.flatMap((each) => spilledOn(each)),
    async [Symbol.asyncDispose]() {
      await server?.[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** How whoever runs there logs in. */
const LOGINS = [
  [".vault-token", ROOT_TOKEN],
  [".aws/credentials", "[work]\naws_access_key_id = test\naws_secret_access_key = test\n"],
] as const;

async function backend(kind: StoreKind): Promise<[Record<string, unknown>, string, AsyncDisposable | undefined]> {
  if (kind === "local") return [{}, "", undefined];
  if (kind === "vault") {
    const bao = await startOpenBao();
    return [{ addresses: bao.address, launch: "none" }, "kv/", bao];
  }
  const strict = await startStrictSecrets();
  const endpoint = strict.address;
  return [{ region: "eu-central-1", profile: "work", endpoint, stsEndpoint: endpoint }, "", strict];
}

async function openFor(kind: StoreKind, options: StoreOptions): Promise<RotatedStore["provider"]> {
  if (kind === "vault") return openVault(options);
  if (kind === "local") return openLocal(options);
  // The SDK looks for its files below HOME.
  const before = process.env["HOME"];
  process.env["HOME"] = options.userHome;
  const provider = openAws(options);
  await provider.list();
  process.env["HOME"] = before;
  return provider;
}

function optionsFor(userHome: string, store: string, settings: Record<string, unknown>): StoreOptions {
  const random = () => randomBytes(12).toString("hex");
  return {
    store,
    settings,
    userHome,
    home: join(userHome, ".mcp-secrets"),
    files: createFiles({ platform: process.platform, random }),
    lock: createLock({ pid: process.pid, now: Date.now, random }),
    now: Date.now,
    platform: process.platform,
    host: hostname(),
    chance: Math.random,
    ...NOT_USED,
  };
}

function spilledOn(userHome: string): string[] {
  const options = optionsFor(userHome, "local", {});
  const folder = join(options.home, "rotation");
  const texts = namesIn(folder).map((name) => readIfThere(join(folder, name)));
  const opened = texts.flatMap((sealed) => (sealed === undefined ? [] : [openSeal(options).open(sealed).toString()]));
  return opened.filter((text) => text.includes('"fields"'));
}

/** It may go while we look. */
function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith(".age"));
  } catch {
    return [];
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o600 });
}
