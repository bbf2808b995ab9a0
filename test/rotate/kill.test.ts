import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { journalOf } from "../../src/core/journal.ts";
import { Secret } from "../../src/core/secret.ts";
import { LONG } from "../helpers/cli.ts";
import { type Issuer, issue, passwordsOf, startIssuer } from "../servers/issuer.ts";
import type { IssuerKind } from "./issuer-target.ts";
import { type RotatedStore, type StoreKind, startStore } from "./stores.ts";
import type { WorkerJob } from "./worker.ts";
import { type Ended, buildWorker, startWorker } from "./workers.ts";

/**
 * Kill -9 before and after each write and each call of the target, until a rotation completes. At every such instant,
 * and ten times a second, a value that can be read logs in; one more command ends with exactly one that does, and it is
 * the current one. `npm test` takes some of the points; `npm run test:long` takes each.
 */
const STEP: Readonly<Record<StoreKind, number>> = LONG
  ? { local: 1, vault: 1, aws: 1 }
  : { local: 9, vault: 17, aws: 17 };
const KINDS = ["set-O", "set-X", "mint-O", "mint-X", "alternating"] as const;

let worker = "";
beforeAll(async () => void (worker = await buildWorker()));
afterAll(() => rmSync(dirname(worker), { recursive: true, force: true }));

describe.each(["local", "vault", "aws"] as const)("on the store %s", (kind) => {
  let store: RotatedStore;
  beforeAll(async () => void (store = await startStore(kind)));
  afterAll(() => store[Symbol.asyncDispose]());

  test.each(KINDS.map((target, number) => ({ target, first: 1 + number })))(
    "$target: a value that works is never out of reach",
    async ({ target, first }) => {
      await using issuer = await startIssuer();
      issuer.overlap = target.endsWith("O");
      const points = new Set<string>();
      for (let at = LONG ? 1 : first; ; at += STEP[kind]) {
        const ended = await killAt({ store, issuer, target }, at);
        for (const name of ended.points ?? []) points.add(name.split(" ").slice(0, 2).join(" "));
        if (ended.signal === null) break;
      }
      // The last one went through, and met both sides of everything.
      expect([...points]).toEqual(expect.arrayContaining(["put before", "put after", "test before", "test after"]));
    },
    1_800_000,
  );
});

interface Scene {
  readonly store: RotatedStore;
  readonly issuer: Issuer;
  readonly target: IssuerKind;
}

/** A fresh secret, whose rotation is killed at one point, and then taken up again. */
async function killAt(scene: Scene, at: number): Promise<Ended> {
  const { store, issuer, target } = scene;
  const [user, path] = [`user${at}`, `${store.folder}db/${target}-${at}`];
  issue(issuer, user, "first");
  await store.provider.put(path, { user: new Secret(user), password: new Secret("first") }, { ifVersion: 0 });
  const home = store.machine();
  const job: WorkerJob = {
    ...store.job,
    path,
    kind: target,
    address: issuer.address,
    at,
    signal: "SIGKILL",
    callTime: 3_000,
  };
  const sampler = sample(scene, path, user);
  const ended = await startWorker(worker, home, job).ended;
  const where = `killed at ${at}, ${ended.points?.at(-1) ?? "…"}`;
  const inFlight = target === "mint-X" && !(await reachable(scene, path, user));
  if (inFlight) expect((await journal(store, path)).phase, where).toBe("minting");
  else expect(await reachable(scene, path, user), where).toBe(true);
  if (ended.signal === null) expect(ended.outcome).toBe("rotated");

  const again = await startWorker(worker, home, { ...job, at: 0 }).ended;
  expect(await sampler(), where).toEqual([]);
  if (inFlight) {
    expect(again.outcome, where).toBe("stuck");
    return ended;
  }
  expect(["rotated", ...(target === "mint-X" ? ["later"] : [])], `${where}: ${again.detail}`).toContain(again.outcome);
  await expectOneValue(scene, path, user);
  return ended;
}

async function expectOneValue({ store, issuer, target }: Scene, path: string, user: string): Promise<void> {
  const stored = await store.provider.read(path, { deadline: Date.now() + 10_000 });
  const current = {
    user: stored?.fields["user"]?.expose() ?? "",
    password: stored?.fields["password"]?.expose() ?? "",
  };
  expect(passwordsOf(issuer, current.user)).toEqual([current.password]);
  const others = target === "alternating" ? [user, `${user}_b`] : [user];
  for (const each of others) expect(passwordsOf(issuer, each)).toHaveLength(1);
  expect((await journal(store, path)).phase).toBe("idle");
  expect(store.spilled()).toEqual([]);
}

/** Looks ten times a second; what it returns stops it, and gives the instants at which nothing worked. */
function sample(scene: Scene, path: string, user: string): () => Promise<string[]> {
  const missed: string[] = [];
  let last = Promise.resolve();
  const timer = setInterval(() => {
    last = last.then(async () => {
      if (await reachable(scene, path, user)) return;
      const { phase } = await journal(scene.store, path);
      // The one gap: the answer of a call that ends the old value is on its way, or lost.
      if (scene.target !== "mint-X" || !["minting", "stuck"].includes(phase)) missed.push(phase);
    });
  }, 100);
  return async () => {
    clearInterval(timer);
    await last;
    return missed;
  };
}

/** Reads as a consumer would: what is gone by the time it is tried is read again. */
async function reachable(scene: Scene, path: string, user: string): Promise<boolean> {
  for (let tries = 0; tries < 3; tries += 1) {
    const texts = await retrievable(scene.store, path);
    const valid = [user, `${user}_b`].flatMap((each) => passwordsOf(scene.issuer, each));
    if (valid.some((password) => texts.some((text) => text.includes(`"${password}"`)))) return true;
  }
  return false;
}

/** Everything that durable storage gives: the secret, its journal, and what is sealed on a disk. */
async function retrievable({ provider, spilled }: RotatedStore, path: string): Promise<string[]> {
  const read = async (where: string) => {
    const found = await provider.read(where, { deadline: Date.now() + 10_000 });
    const fields = Object.entries(found?.fields ?? {}).map(([name, value]) => [name, value.expose()]);
    return fields.flatMap(([, value]) => [JSON.stringify(value), value ?? ""]);
  };
  return [...(await read(path)), ...(await read(journalOf(path))), ...spilled()];
}

async function journal({ provider }: RotatedStore, path: string): Promise<{ phase: string }> {
  const found = await provider.read(journalOf(path), { deadline: Date.now() + 10_000 });
  return JSON.parse(found?.fields["state"]?.expose() ?? '{"phase":"none"}');
}
