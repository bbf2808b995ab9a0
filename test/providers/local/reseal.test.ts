import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decrypt, encrypt } from "../../../providers/local/age/age.ts";
import { formatRecipient, generateIdentity, parseIdentities } from "../../../providers/local/age/keys.ts";
import { openResealer } from "../../../providers/local/reseal.ts";
import { Secret } from "../../../src/core/secret.ts";
import { failAt } from "../../helpers/faults.ts";
import { type TemporaryHome, temporaryHome } from "../../helpers/local-store.ts";

let at: TemporaryHome;
beforeEach(async () => {
  at = temporaryHome();
  await put("a/one", "1", 0);
  await put("a/one", "2", 1);
  await put("two", "x", 0);
});
afterEach(() => at[Symbol.dispose]());

const recovery = generateIdentity().identity;
const other = generateIdentity().identity;
const local = (name: string) => join(at.home, "local", name);
const secret = (name: string) => local(`secrets/${name}`);
const FILES = ["a/one.age", "a/one.age.previous", "two.age"];

async function put(path: string, text: string, ifVersion: number): Promise<void> {
  await at.open().put(path, { value: new Secret(text) }, { ifVersion });
}

function invite(...identities: readonly (typeof recovery)[]): void {
  writeFileSync(local("recipients"), identities.map(({ recipient }) => `${formatRecipient(recipient)}\n`).join(""), {
    mode: 0o600,
  });
}

/** How many of the files one key opens. */
function opens(identity: typeof recovery): number {
  return FILES.filter((file) => {
    try {
      return decrypt(readFileSync(secret(file)), [identity]).length > 0;
    } catch {
      return false;
    }
  }).length;
}

const ours = () => parseIdentities(readFileSync(local("identity"), "utf8"))[0]!;
const resealer = () => openResealer(at.options());
const state = async () => [await resealer().isNoted(), await resealer().staleSecrets()];

async function reseal(): Promise<boolean> {
  const whole = await resealer().resealSecrets();
  await resealer().note();
  return whole;
}

test("without other recipients there is nothing to do", async () => {
  const before = FILES.map((file) => readFileSync(secret(file)));
  expect(await state()).toEqual([true, 0]);
  expect(await resealer().resealSecrets()).toBe(true);
  expect(FILES.map((file) => readFileSync(secret(file)))).toEqual(before);
});

test("a recovery key opens what was stored before it, once that is written again", async () => {
  invite(recovery);
  expect([opens(recovery), await state()]).toEqual([0, [false, 3]]);
  expect(await reseal()).toBe(true);
  expect([opens(recovery), opens(ours()), await state()]).toEqual([3, 3, [true, 0]]);
  const [found] = await at.open().resolve([{ store: "local", path: "a/one" }], { deadline: 0 });
  expect([found?.value.expose(), found?.version]).toEqual(["2", 2]);
});

test("a key that takes the place of another, and one that goes, are seen: as many, or fewer", async () => {
  invite(recovery);
  await reseal();
  invite(other);
  expect(await state()).toEqual([false, 3]);
  await reseal();
  expect([opens(recovery), opens(other)]).toEqual([0, 3]);
  invite();
  expect(await state()).toEqual([false, 3]);
  await reseal();
  expect([opens(other), await state()]).toEqual([0, [true, 0]]);
});

test("a new identity in front of the old one: what the old one opens is written for the new one", async () => {
  const fresh = generateIdentity();
  const old = readFileSync(local("identity"), "utf8");
  writeFileSync(local("identity"), `${fresh.text}\n${old}`);
  expect(await state()).toEqual([false, 3]);
  expect(await reseal()).toBe(true);
  expect([opens(fresh.identity), await state()]).toEqual([3, [true, 0]]);
});

test("one that was written meanwhile for fewer is seen by its header", async () => {
  invite(recovery);
  await reseal();
  const text = decrypt(readFileSync(secret("two.age")), [ours()]);
  writeFileSync(secret("two.age"), encrypt(text, [ours().recipient]));
  expect(await state()).toEqual([true, 1]);
  await reseal();
  expect([opens(recovery), await state()]).toEqual([3, [true, 0]]);
});

test("what is damaged or of another key stays as it is, and is told", async () => {
  invite(recovery);
  const foreign = encrypt(Buffer.from("x"), [other.recipient]);
  writeFileSync(secret("two.age"), foreign);
  appendFileSync(secret("a/one.age.previous"), "x");
  const damaged = readFileSync(secret("a/one.age.previous"));
  expect(await reseal()).toBe(false);
  expect(readFileSync(secret("two.age"))).toEqual(foreign);
  expect(readFileSync(secret("a/one.age.previous"))).toEqual(damaged);
  expect(opens(recovery)).toBe(1);
});

describe("cut short at any call", () => {
  test("every secret is whole, and the next run does the rest", async () => {
    invite(recovery);
    cpSync(at.home, `${at.home}.saved`, { recursive: true });
    let calls = Infinity;
    for (let k = 1; k <= calls; k += 1) {
      rmSync(at.home, { recursive: true });
      cpSync(`${at.home}.saved`, at.home, { recursive: true });
      const faulty = failAt({ at: k, when: k % 2 === 0 ? "after" : "before", forGood: true });
      const one = openResealer(at.options(faulty.fs));
      await one
        .resealSecrets()
        .then(() => one.note())
        .catch(() => {});
      if (!faulty.failed()) calls = k;
      expect(opens(ours())).toBe(3);
      if (await resealer().isNoted()) expect(opens(recovery)).toBe(3);
      await reseal();
      expect([opens(recovery), await state()]).toEqual([3, [true, 0]]);
    }
    expect(existsSync(local("sealed-for"))).toBe(true);
  });
});
