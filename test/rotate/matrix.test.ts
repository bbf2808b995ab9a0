import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { journalOf } from "../../src/core/journal.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { exitOf } from "../../src/rotate/outcome.ts";
import { type OpenBao, startOpenBao } from "../servers/openbao.ts";
import { issue, passwordsOf } from "../servers/issuer.ts";
import { rootStore } from "../providers/vault/store.ts";
import { testStore } from "../providers/aws/store.ts";
import { type StrictSecrets, startStrictSecrets } from "../servers/strict-secrets.ts";
import { FIRST, type Scene, failing, openScene } from "./scene.ts";

/** What can go wrong in a rotation, row by row: the fault, and what must hold. */
interface Row {
  readonly row: number;
  readonly fault: string;
  readonly holds: () => Promise<void>;
}

let strict: StrictSecrets;
let bao: OpenBao;
beforeAll(async () => {
  [strict, bao] = await Promise.all([startStrictSecrets(), startOpenBao()]);
});
afterAll(async () => {
  await strict[Symbol.asyncDispose]();
  await bao[Symbol.asyncDispose]();
});

class Crash extends Error {}
const crash = () => Promise.reject(new Crash("killed"));

const ROWS: readonly Row[] = [
  {
    row: 1,
    fault: "the store is down before the claim: not one statement reaches the target, exit 75",
    async holds() {
      const scene = await sceneInAws("set-X");
      strict.fault = () => ({ type: "reset" });
      const outcome = await scene.run({ callTime: 500 });
      strict.fault = () => undefined;
      expect(outcome).toMatchObject({ type: "later" });
      expect(exitOf(outcome)).toBe(75);
      expect(scene.asked()).toBe("");
      expect(await scene.stored()).toBe(FIRST);
    },
  },
  {
    row: 2,
    fault: "a crash before the target has it: the next run sets the same value",
    async holds() {
      const scene = await openScene("set-X");
      await expect(scene.run({ target: withSet(scene, crash) })).rejects.toThrow(Crash);
      expect(passwordsOf(scene.issuer)).toEqual([FIRST]);
      const candidate = await scene.held("candidate");
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      expect(await scene.stored()).toBe(candidate);
      expect(passwordsOf(scene.issuer)).toEqual([candidate]);
    },
  },
  {
    row: 3,
    fault: "a crash after the target has it: the next run finds it valid and goes on",
    async holds() {
      const scene = await openScene("set-X");
      const halfway = setThen(scene, crash);
      await expect(scene.run({ target: withSet(scene, halfway) })).rejects.toThrow(Crash);
      expect(passwordsOf(scene.issuer)).toEqual([await scene.held("candidate")]);
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      expect(scene.asked().match(/set/g)).toHaveLength(1);
      expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
    },
  },
  {
    row: 4,
    fault: "the store is down after the target has it: on its return the same value is promoted",
    async holds() {
      const scene = await openScene("set-X");
      let isDown = false;
      const down = setThen(scene, async () => void (isDown = true));
      const { put } = scene.provider;
      const unavailable = () => Promise.reject(new UserError("store-unavailable", "store local does not answer"));
      const failingStore = {
        ...scene.provider,
        put: (...given: Parameters<typeof put>) => (isDown ? unavailable() : put(...given)),
      };
      const outcome = await scene.run({ target: withSet(scene, down), provider: failingStore });
      expect(outcome).toMatchObject({ type: "later" });
      const candidate = await scene.held("candidate");
      expect(passwordsOf(scene.issuer)).toEqual([candidate]);
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      expect(await scene.stored()).toBe(candidate);
    },
  },
  ...(["set-O", "set-X", "mint-O"] as const).map((kind) => ({
    row: 5,
    fault: `the new value does not log in (${kind}): never promoted, quarantined, the old one in force`,
    async holds() {
      const scene = await openScene(kind);
      refusingLogins(scene, 1);
      const outcome = await scene.run();
      expect(outcome).toMatchObject({ type: "rolledBack", why: { type: "rejected" } });
      expect(exitOf(outcome)).toBe(1);
      await expectRolledBack(scene);
    },
  })),
  ...(["set-O", "set-X", "mint-O"] as const).map((kind) => ({
    row: 6,
    fault: `the new value lacks a right (${kind}): never promoted, and the report says which`,
    async holds() {
      const scene = await openScene(kind);
      scene.issuer.grants = (password) => (password === FIRST ? ["read", "write"] : ["read"]);
      const outcome = await scene.run();
      expect(outcome).toMatchObject({ type: "rolledBack", why: { type: "lacking", missing: ["write"] } });
      await expectRolledBack(scene);
      expect((await scene.state()).last).toMatchObject({
        result: "rolledBack",
        reason: "it lacked write",
        failures: 1,
      });
    },
  })),
  ...(["set", "login"] as const).map((operation) => ({
    row: 7,
    fault: `the target is not reachable at ${operation}: no state changes, nothing is retired, exit 75`,
    async holds() {
      const scene = await openScene("set-O");
      failing(scene.issuer, operation, "500", 100);
      const outcome = await scene.run();
      expect(outcome).toMatchObject({ type: "later" });
      expect(exitOf(outcome)).toBe(75);
      expect(await scene.stored()).toBe(FIRST);
      expect(passwordsOf(scene.issuer)).toContain(FIRST);
      const { phase } = await scene.state();
      expect(phase).toBe(operation === "set" ? "setting" : "set");
      const candidate = await scene.held("candidate");
      scene.issuer.fault = () => undefined;
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      expect(await scene.stored()).toBe(candidate);
    },
  })),
  {
    row: 8,
    fault: "class O: the answer to a mint is lost: what it made is deleted, another one is made",
    async holds() {
      const scene = await openScene("mint-O");
      failing(scene.issuer, "mint", "lost");
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      expect(scene.asked()).toBe("mint discard mint login retire");
      expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
    },
  },
  {
    row: 9,
    fault: "class X: the answer to a mint is lost: one call, one probe, then a person",
    async holds() {
      const scene = await openScene("mint-X");
      failing(scene.issuer, "mint", "lost");
      const outcome = await scene.run();
      expect(outcome).toMatchObject({ type: "stuck", check: expect.stringContaining("make a new value") });
      expect(exitOf(outcome)).toBe(70);
      expect(await scene.run()).toEqual(outcome);
      expect(scene.asked()).toBe("mint login");
    },
  },
  {
    row: 9,
    fault: "class X: the mint was never carried out: one probe, nothing has changed",
    async holds() {
      const scene = await openScene("mint-X");
      failing(scene.issuer, "mint", "reset");
      expect(await scene.run()).toMatchObject({ type: "later" });
      expect(scene.asked()).toBe("mint login");
      expect(await scene.stored()).toBe(FIRST);
      expect(await scene.run()).toMatchObject({ type: "rotated" });
    },
  },
  {
    row: 9,
    fault: "class X of a family: the old value is never shown again",
    async holds() {
      const scene = await openScene("mint-X", { reuseRevokes: true });
      failing(scene.issuer, "mint", "lost");
      expect(await scene.run()).toMatchObject({ type: "stuck" });
      expect(scene.asked()).toBe("mint");
    },
  },
  {
    row: 10,
    fault: "class X: a crash between the answer and the store: the value is on this disk, and replayed",
    async holds() {
      const scene = await openScene("mint-X");
      const { put } = scene.provider;
      let minted = false;
      scene.issuer.fault = ({ operation }) => void (minted ||= operation === "mint");
      const dying = {
        ...scene.provider,
        put: (...given: Parameters<typeof put>) => (minted ? crash() : put(...given)),
      };
      await expect(scene.run({ provider: dying })).rejects.toThrow(Crash);
      expect(scene.home.files().filter((name) => name.startsWith("rotation/"))).toHaveLength(1);
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      expect(scene.asked()).toBe("mint login retire");
      expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
      expect(scene.home.files().filter((name) => name.startsWith("rotation/"))).toEqual([]);
    },
  },
  {
    row: 11,
    fault: "somebody stores another value that works: theirs is adopted, ours is ended",
    async holds() {
      const scene = await openScene("set-O");
      issue(scene.issuer, "app", "by hand");
      storingAtLogin(scene, "by hand");
      const outcome = await scene.run();
      expect(outcome).toMatchObject({ type: "rolledBack", why: { type: "superseded" } });
      expect(await scene.stored()).toBe("by hand");
      expect(passwordsOf(scene.issuer)).toEqual([FIRST, "by hand"]);
    },
  },
  {
    row: 11,
    fault: "somebody stores another value that does not work: ours is promoted over it",
    async holds() {
      const scene = await openScene("set-X");
      storingAtLogin(scene, "nonsense");
      expect(await scene.run()).toMatchObject({ type: "rotated", version: 3 });
      expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
    },
  },
  {
    row: 12,
    fault: "two hosts, one paused between claim and effect: one new value, both end well",
    async holds() {
      const scene = await openScene("set-X");
      const here = (host: string) => ({ pid: 1, host, boot: "", namespace: "", started: "", since: 0 });
      const second = { owner: () => here("b"), stateOf: () => "unknown" as const };
      let other: unknown;
      const paused = async (...given: Parameters<SetCall>) => {
        const hour = Date.now() + 3_600_000;
        other = await scene.run({ ...second, now: () => hour });
        await setOf(scene)(...given);
      };
      const first = { owner: () => here("a"), stateOf: () => "unknown" as const };
      const outcome = await scene.run({ ...first, target: withSet(scene, paused) });
      expect(other).toMatchObject({ type: "rotated" });
      expect(outcome).toMatchObject({ type: "busy" });
      expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
      expect(
        new Set(scene.issuer.asked.filter(({ operation }) => operation === "set").map(({ password }) => password)).size,
      ).toBe(1);
    },
  },
  {
    row: 13,
    fault: "the old value cannot be retired: two valid ones, said so, and tried again",
    async holds() {
      const scene = await openScene("set-O");
      failing(scene.issuer, "retire", "500");
      const before = Date.now();
      const outcome = await scene.run();
      expect(outcome).toMatchObject({ type: "later", oldValidSince: expect.any(Number) });
      expect(outcome.type === "later" && (outcome.oldValidSince ?? 0)).toBeGreaterThanOrEqual(before);
      expect(passwordsOf(scene.issuer)).toHaveLength(2);
      expect(await scene.stored()).not.toBe(FIRST);
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
    },
  },
  {
    row: 13,
    fault: "the store is down when the old value is to be ended: the new one is current, and said to be",
    async holds() {
      const scene = await openScene("set-O");
      const { put } = scene.provider;
      const provider = {
        ...scene.provider,
        put: (...given: Parameters<typeof put>) =>
          scene.phases.includes("promoted")
            ? Promise.reject(new UserError("store-unavailable", "store local does not answer"))
            : put(...given),
      };
      expect(await scene.run({ provider })).toMatchObject({ type: "later", oldValidSince: expect.any(Number) });
      expect(await scene.run()).toMatchObject({ type: "rotated" });
    },
  },
  {
    row: 14,
    fault: "the issuer gives no more than two: nothing that is not ours is deleted",
    async holds() {
      const scene = await openScene("mint-O");
      issue(scene.issuer, "app", "somebody else's");
      scene.issuer.limit = 2;
      expect(await scene.run()).toMatchObject({ type: "adminRefused" });
      expect(passwordsOf(scene.issuer)).toEqual([FIRST, "somebody else's"]);
      expect(scene.asked()).toBe("mint");
    },
  },
  ...(["max_versions", "delete_version_after"] as const).map((setting) => ({
    row: 15,
    fault: `the store may drop versions (${setting}): refused before anything is written or asked`,
    async holds() {
      const provider = await rootStore(bao).open();
      const path = `kv/matrix/${setting}`;
      const scene = await openScene("set-O", { provider, path, store: "team" });
      await bao.call("POST", `secret/metadata/matrix/${setting}`, { [setting]: setting === "max_versions" ? 1 : "1h" });
      await expect(scene.run()).rejects.toMatchObject({ code: "refused" });
      expect(scene.asked()).toBe("");
      expect(await provider.describe(journalOf(path))).toBeUndefined();
    },
  })),
  {
    row: 16,
    fault: "a slot that comes twice, and a clock that jumps: one rotation for the slot",
    async holds() {
      const scene = await openScene("set-O");
      const slot = "2026-11-25T02:00:00.000Z";
      expect(await scene.run({ plan: { slot } })).toMatchObject({ type: "rotated" });
      for (const hours of [0, -1, 1]) {
        const now = () => Date.now() + hours * 3_600_000;
        expect(await scene.run({ plan: { slot }, now })).toEqual({ type: "notDue" });
      }
      expect(scene.asked().match(/set/g)).toHaveLength(1);
      expect(await scene.run({ plan: { slot: "2026-11-26T02:00:00.000Z" } })).toMatchObject({ type: "rotated" });
    },
  },
  ...(["set-O", "set-X", "mint-O", "mint-X"] as const).map((kind) => ({
    row: 17,
    fault: `the administrator's credential is refused (${kind}): nothing has changed, exit 77`,
    async holds() {
      const scene = await openScene(kind);
      scene.issuer.administrator.password = "another";
      const outcome = await scene.run();
      expect(outcome).toMatchObject({ type: "adminRefused", reason: expect.any(String) });
      expect(exitOf(outcome)).toBe(77);
      expect(await scene.stored()).toBe(FIRST);
      expect(passwordsOf(scene.issuer)).toEqual([FIRST]);
      expect((await scene.state()).phase).toBe("idle");
    },
  })),
  {
    row: 18,
    fault: "a secret of two servers: user and password move together, at every instant",
    async holds() {
      const scene = await openScene("alternating");
      issue(scene.issuer, "app_b", "of b");
      const pairs: Promise<string>[] = [];
      const pair = async () => {
        const refs = ["user", "password"].map((field) => ({ store: "local", path: scene.path, field }));
        const found = await scene.provider.resolve(refs, { deadline: Date.now() + 5_000 });
        return found.map(({ value }) => value.expose()).join();
      };
      expect(await scene.run({ progress: () => void pairs.push(pair()) })).toMatchObject({ type: "rotated" });
      const seen = [...new Set(await Promise.all(pairs))];
      expect(seen).toEqual(["app,first", `app_b,${await scene.stored()}`]);
    },
  },
];

describe("the failure matrix", () => {
  test.each(ROWS)("row $row: $fault", async ({ holds }) => {
    expect.hasAssertions();
    await holds();
  });

  test("has a test for each of its rows", () => {
    expect(new Set(ROWS.map(({ row }) => row))).toEqual(new Set(Array.from({ length: 18 }, (_, at) => at + 1)));
  });
});

describe("before the target is asked", () => {
  test("a store that only reads ends the run", async () => {
    const scene = await sceneInAws("set-X");
    strict.fault = ({ operation }) =>
      operation === "DescribeSecret" || operation.startsWith("Get") || operation.startsWith("BatchGet")
        ? undefined
        : { type: "error", name: "AccessDeniedException", status: 400 };
    await expect(scene.run()).rejects.toThrow(UserError);
    strict.fault = () => undefined;
    expect(scene.asked()).toBe("");
  });

  test("a test that takes too long is no answer: not promoted, exit 75", async () => {
    const scene = await openScene("set-O", { patience: 300 });
    failing(scene.issuer, "login", "hang");
    const outcome = await scene.run();
    expect(exitOf(outcome)).toBe(75);
    expect(await scene.stored()).toBe(FIRST);
    expect(await scene.run()).toMatchObject({ type: "rotated" });
  });
});

type SetCall = Extract<Scene["target"], { kind: "set" }>["set"];

function setOf({ target }: Scene): SetCall {
  if (target.kind !== "set") throw new Error("not of this kind");
  return target.set;
}

function setThen(scene: Scene, after: () => Promise<unknown>): SetCall {
  return async (...given) => {
    await setOf(scene)(...given);
    await after();
  };
}

function withSet({ target }: Scene, set: SetCall): Scene["target"] {
  return target.kind === "set" ? { ...target, set } : target;
}

async function sceneInAws(kind: "set-X"): Promise<Scene> {
  const provider = testStore({ address: strict.address }).open();
  return openScene(kind, { provider, store: "prod" });
}

/** The first logins are refused, whatever they show. */
function refusingLogins({ issuer }: Scene, times: number): void {
  let left = times;
  const valid = issuer.valid.get.bind(issuer.valid);
  issuer.valid.get = (user) => {
    const isLogin = issuer.asked.at(-1)?.operation === "login";
    return isLogin && left-- > 0 ? [] : valid(user);
  };
}

async function expectRolledBack(scene: Scene): Promise<void> {
  expect(scene.phases).not.toContain("promoted");
  expect(await scene.stored()).toBe(FIRST);
  expect(passwordsOf(scene.issuer)).toEqual([FIRST]);
  expect(await scene.held("quarantine")).toMatch(/^(?:made|minted)-/);
  expect((await scene.state()).phase).toBe("idle");
}

/** Somebody runs `set` while the candidate is tested. */
function storingAtLogin({ issuer, provider, path }: Scene, password: string): void {
  let done = false;
  issuer.fault = ({ operation }) => {
    if (operation !== "login" || done) return undefined;
    done = true;
    void provider.put(path, { user: new Secret("app"), password: new Secret(password) }, { ifVersion: 1 });
    return undefined;
  };
}
