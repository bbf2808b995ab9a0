import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { open } from "../../../providers/aws/provider.ts";
import type { StoreOptions } from "../../../src/core/provider.ts";
import { createFiles } from "../../../src/io/files.ts";
import { createHttp } from "../../../src/io/http.ts";

/** A home for one store named `prod`, and the provider over it. */
export interface TestStore {
  readonly home: string;
  readonly options: StoreOptions;
  open(): ReturnType<typeof open>;
  /** The name that a path has at the service. */
  nameOf(path: string): string;
}

export interface StoreSetup {
  readonly address: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly options?: Partial<StoreOptions>;
  /** Of `~/.aws/credentials`. */
  readonly keys?: Keys;
}

export interface Keys {
  readonly id: string;
  readonly secret: string;
  readonly token?: string;
}

export const ROOT_KEYS: Keys = { id: "test", secret: "test" };

/** Each store has a profile and a prefix of its own, so that tests share a server and nothing else. */
export function testStore({ address, settings = {}, options = {}, keys = ROOT_KEYS }: StoreSetup): TestStore {
  const home = mkdtempSync(join(tmpdir(), "aws-home-"));
  const mark = randomBytes(4).toString("hex");
  const profile = profileWith(home, keys);
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const prefix = `${mark}/`;
  const random = () => randomBytes(8).toString("hex");
  const files = createFiles({ platform: process.platform, random });
  const whole: StoreOptions = {
    store: "prod",
    home,
    userHome: home,
    files,
    lock: async (_, run) => run(),
    now: Date.now,
    settings: { region: "eu-central-1", profile, prefix, endpoint: address, stsEndpoint: address, ...settings },
    platform: process.platform,
    host: "test-host",
    chance: Math.random,
    lookUp: () => expect.unreachable("no other store is needed"),
    openSeal: () => expect.unreachable("nothing is sealed"),
    http: createHttp(Date.now),
    ...options,
  };
  return {
    home,
    options: whole,
    nameOf: (path) => `${prefix}${path}`,
    open() {
      const provider = open(whole);
      onTestFinished(() => provider.close());
      return provider;
    },
  };
}

/** The SDK looks for its files below HOME, which is this process's own while the test runs. */
function profileWith(home: string, keys: Keys): string {
  const before = process.env["HOME"];
  process.env["HOME"] = home;
  onTestFinished(() => {
    process.env["HOME"] = before;
  });
  const lines = [`aws_access_key_id = ${keys.id}`, `aws_secret_access_key = ${keys.secret}`];
  if (keys.token !== undefined) lines.push(`aws_session_token = ${keys.token}`);
  writeIn(home, ".aws/credentials", `[work]\n${lines.join("\n")}\n`);
  return "work";
}

export function writeIn(home: string, name: string, text: string): void {
  mkdirSync(dirname(join(home, name)), { recursive: true });
  writeFileSync(join(home, name), text, { mode: 0o600 });
}
