import { spawnSync } from "node:child_process";
import * as nodeFs from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { open } from "../../../providers/local/index.ts";
import type { NewSecret } from "../../../src/core/provider.ts";
import { Secret } from "../../../src/core/secret.ts";
import type { Threads } from "../../../src/core/threads.ts";
import { startThreads } from "../../../src/io/threads.ts";
import { ageProgram } from "../../helpers/age-oracles.ts";
import { failAt, fullAfter } from "../../helpers/faults.ts";
import { type TemporaryHome, temporaryHome } from "../../helpers/local-store.ts";

/** Many secrets at once, with threads and without: the store does the same. */

/** Enough for threads. */
const COUNT = 210;
const request = { deadline: 0 };
const running = startThreads(resolve(import.meta.dirname, "../../../dist/thread.cjs"), 2);
const real: Threads = async () => running;
const dead: Threads = async () => [{ ask: async () => Promise.reject(new Error("the thread has ended")) }];
const silly: Threads = async () => [{ ask: async () => "no outcome" }];

let at: TemporaryHome;
beforeEach(() => (at = temporaryHome()));
afterEach(() => at[Symbol.dispose]());

const secrets: readonly NewSecret[] = Array.from({ length: COUNT }, (_, index) => ({
  path: `server-${Math.floor(index / 4)}/KEY_${index}`,
  fields: { value: new Secret(`canary-${index}-${"ü".repeat(index % 7)}`) },
}));
const textOf = ({ fields }: NewSecret) => fields["value"]?.expose();
const refOf = ({ path }: { readonly path: string }) => ({ store: "local", path });
const fileOf = ({ path }: NewSecret) => join(at.home, "local/secrets", `${path}.age`);
const store = (threads?: Threads) => open({ ...at.options(), ...(threads === undefined ? {} : { threads }) });

describe.each([
  ["no threads", undefined],
  ["threads", real],
])("%s", (_, threads) => {
  test("all are stored, each told once, and read back by a process without threads, and by this one", async () => {
    let told = 0;
    await store(threads).putAll(secrets, () => (told += 1));
    expect(told).toBe(COUNT);
    for (const reader of [store(), store(threads)]) {
      const found = await reader.resolve(secrets.map(refOf), request);
      expect(found.map(({ value }) => value.expose())).toEqual(secrets.map(textOf));
      const listed = await reader.list();
      expect(listed.map(({ path }) => path)).toEqual(secrets.map(({ path }) => path).toSorted());
      expect(listed.every(({ version, problem }) => version === 1 && problem === undefined)).toBe(true);
      expect(new Set((await reader.readAll()).map(({ value }) => value.expose()))).toEqual(
        new Set(secrets.map(textOf)),
      );
    }
    expect(at.files().filter((file) => file.includes("tmp"))).toEqual([]);
  });

  test("one that is damaged, of another key or gone is told of alone", async () => {
    await store(threads).putAll(secrets, () => {});
    const [damaged, gone, swapped] = [secrets[7]!, secrets[70]!, secrets[150]!];
    nodeFs.writeFileSync(fileOf(damaged), nodeFs.readFileSync(fileOf(damaged)).subarray(0, -1));
    nodeFs.rmSync(fileOf(gone));
    nodeFs.copyFileSync(fileOf(secrets[151]!), fileOf(swapped));
    const listed = await store(threads).list();
    expect(listed).toHaveLength(COUNT - 1);
    expect(new Set(listed.filter(({ problem }) => problem !== undefined).map(({ path }) => path))).toEqual(
      new Set([damaged.path, swapped.path]),
    );
    expect(await store(threads).readAll()).toHaveLength(COUNT - 3);
    const asked = (without: readonly NewSecret[]) =>
      store(threads).resolve(secrets.filter((secret) => !without.includes(secret)).map(refOf), request);
    await expect(asked([gone])).rejects.toMatchObject({ code: "secret-corrupt" });
    await expect(asked([damaged, swapped])).rejects.toMatchObject({ code: "secret-not-found" });
    expect(await asked([damaged, gone, swapped])).toHaveLength(COUNT - 3);
  });
});

test.each([
  ["have ended", dead],
  ["answer nonsense", silly],
])("what threads that %s have not done is done all the same", async (_, threads) => {
  await store(threads).putAll(secrets, () => {});
  const found = await store(threads).resolve(secrets.map(refOf), request);
  expect(found.map(({ value }) => value.expose())).toEqual(secrets.map(textOf));
});

test("a path that exists keeps its value, and the others are stored", async () => {
  const taken = secrets[100]!;
  await store().put(taken.path, { value: new Secret("was here") }, { ifVersion: 0 });
  await store(real).putAll(secrets, () => {});
  const found = await store().resolve(secrets.map(refOf), request);
  expect(found[100]?.value.expose()).toBe("was here");
  expect(found.filter(({ value }, index) => value.expose() === textOf(secrets[index]!))).toHaveLength(COUNT - 1);
});

test("two at once give one version of each", async () => {
  await Promise.all([store(real).putAll(secrets, () => {}), store(real).putAll(secrets, () => {})]);
  const found = await store().resolve(secrets.map(refOf), request);
  expect(found.every(({ version }) => version === 1)).toBe(true);
});

test("a failure in the middle is told, what is stored is whole, and again completes it", async () => {
  for (const fault of [failAt({ at: 500, code: "EIO" }), failAt({ at: 800, forGood: true }), fullAfter(40_000)]) {
    using home = temporaryHome();
    const failing = open({ ...home.options(fault.fs), threads: real });
    await expect(failing.putAll(secrets, () => {})).rejects.toMatchObject({ code: "cannot-write" });
    expect(fault.failed()).toBe(true);
    const there = await home.open().list();
    expect(there.length).toBeGreaterThan(0);
    expect(there.length).toBeLessThan(COUNT);
    expect(there.filter(({ problem }) => problem !== undefined)).toEqual([]);
    await open({ ...home.options(), threads: real }).putAll(secrets, () => {});
    const found = await home.open().resolve(secrets.map(refOf), request);
    expect(found.map(({ value }) => value.expose())).toEqual(secrets.map(textOf));
  }
});

test("a path that is too long to be a file name stops the batch with its name", async () => {
  const long = { path: "x".repeat(200), fields: { value: new Secret("v") } };
  await expect(store().putAll([long], () => {})).rejects.toMatchObject({ code: "reference-invalid" });
});

test("no two files share an ephemeral key, a nonce or a file key, whichever thread made them", async () => {
  await store(real).putAll(secrets, () => {});
  const headers = secrets.map((secret) => nodeFs.readFileSync(fileOf(secret)).toString("latin1").split("\n"));
  expect(new Set(headers.map((lines) => lines[1])).size).toBe(COUNT);
  expect(new Set(headers.map((lines) => lines[2])).size).toBe(COUNT);
});

const age = ageProgram();
test.skipIf(age === undefined)("the stock age opens what a thread has sealed", async () => {
  await store(real).putAll(secrets, () => {});
  for (const secret of [secrets[0]!, secrets[111]!, secrets[209]!]) {
    const opened = spawnSync(age!, ["-d", "-i", join(at.home, "local/identity"), fileOf(secret)]);
    expect(opened.stderr.toString()).toBe("");
    expect(opened.stdout.toString()).toContain(textOf(secret));
  }
});
