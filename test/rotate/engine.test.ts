import { describe, expect, test } from "vitest";
import { journalOf } from "../../src/core/journal.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { mayTakeOver } from "../../src/rotate/claim.ts";
import { readRotation } from "../../src/rotate/engine.ts";
import { passwordsOf } from "../servers/issuer.ts";
import { FIRST, type Scene, failing, openScene } from "./scene.ts";

const HOUR = 3_600_000;

describe("a rotation", () => {
  test.each([
    ["set-O", "claimed pending setting set tested promoted retiring idle", "set login retire"],
    ["set-X", "claimed pending setting set tested promoted retiring idle", "set login retire"],
    ["mint-O", "claimed minting pending tested promoted retiring idle", "mint login retire"],
    ["mint-X", "claimed minting pending tested promoted retiring idle", "mint login retire"],
    ["alternating", "claimed pending setting set tested promoted retiring idle", "set login"],
  ] as const)("of kind %s goes from phase to phase, and leaves one value", async (kind, phases, asked) => {
    const scene = await openScene(kind);
    expect(await scene.run()).toMatchObject({ type: "rotated", version: 2 });
    expect(scene.phases.join(" ")).toBe(phases);
    expect(scene.asked()).toBe(asked);
    const user = kind === "alternating" ? "app_b" : "app";
    expect(passwordsOf(scene.issuer, user)).toEqual([await scene.stored()]);
    expect(await scene.held("previous")).toBe(FIRST);
  });

  test("comes again and again", async () => {
    const scene = await openScene("alternating");
    const users: (string | undefined)[] = [];
    for (let times = 0; times < 3; times += 1) {
      expect(await scene.run()).toMatchObject({ type: "rotated" });
      const found = await scene.provider.read(scene.path, { deadline: Date.now() + 5_000 });
      users.push(found?.fields["user"]?.expose());
    }
    expect(users).toEqual(["app_b", "app", "app_b"]);
  });

  test("waits for what the issuer needs until all of it knows a new value", async () => {
    const scene = await openScene("mint-O", { settling: 60_000 });
    const valid = scene.issuer.valid.get.bind(scene.issuer.valid);
    let early = 3;
    scene.issuer.valid.get = (user) =>
      scene.issuer.asked.at(-1)?.operation === "login" && early-- > 0 ? [] : valid(user);
    expect(await scene.run()).toMatchObject({ type: "rotated" });
    expect(scene.asked()).toBe("mint login login login login retire");
  });

  test("of a secret that is not there writes nothing", async () => {
    const scene = await openScene("set-O");
    const run = scene.run({ plan: { ref: { store: "local", path: "db/none" } } });
    await expect(run).rejects.toMatchObject({ code: "secret-not-found" });
    expect(await scene.provider.describe?.(journalOf("db/none"))).toBeUndefined();
  });

  test("that came to nothing is not tried by itself for a while, ever longer", async () => {
    const scene = await openScene("set-O");
    scene.issuer.grants = (password) => (password === FIRST ? ["read", "write"] : []);
    const plan = { slot: "2026-11-25T02:00:00.000Z" };
    const start = Date.now();
    const at = (time: number) => scene.run({ plan, now: () => time });
    expect(await at(start)).toMatchObject({ type: "rolledBack" });
    expect(await at(start + HOUR - 1)).toMatchObject({ type: "later", reason: expect.stringContaining("lacked") });
    expect(await at(start + HOUR)).toMatchObject({ type: "rolledBack" });
    expect(await at(start + 3 * HOUR - 1)).toMatchObject({ type: "later" });
    expect(await at(start + 3 * HOUR)).toMatchObject({ type: "rolledBack" });
    expect((await scene.state()).last).toMatchObject({ failures: 3, retryAt: start + 7 * HOUR });
    scene.issuer.grants = () => ["read", "write"];
    // Who asks for it by hand knows why.
    expect(await scene.run()).toMatchObject({ type: "rotated" });
    expect((await scene.state()).last).not.toHaveProperty("failures");
  });
});

describe("draining", () => {
  const plan = { grace: HOUR };

  test("keeps the old value until nobody holds it", async () => {
    const scene = await openScene("set-O");
    const outcome = await scene.run({ plan, holders: (newest) => (newest === 2 ? ["claude/db"] : []) });
    expect(outcome).toMatchObject({ type: "draining", version: 2, holders: ["claude/db"] });
    expect(passwordsOf(scene.issuer)).toHaveLength(2);
    expect(await scene.stored()).not.toBe(FIRST);
    expect(await scene.run({ plan, holders: () => ["claude/db"] })).toMatchObject({ type: "draining" });
    expect(scene.asked()).toBe("set login");
    expect(await scene.run({ plan, holders: () => [] })).toMatchObject({ type: "rotated" });
    expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
  });

  test.each(["set-X", "mint-X"] as const)("%s: the old value is dead, and nothing waits for it", async (kind) => {
    const scene = await openScene(kind);
    expect(await scene.run({ plan, holders: () => undefined })).toMatchObject({ type: "rotated", version: 2 });
    expect(scene.phases).not.toContain("draining");
    expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
  });

  test("ends with the grace, whoever holds it, and waits for all of it where nobody can tell", async () => {
    const scene = await openScene("set-O");
    expect(await scene.run({ plan, holders: () => undefined })).toMatchObject({ type: "draining", holders: undefined });
    expect(await scene.run({ plan, holders: () => undefined })).toMatchObject({ type: "draining" });
    const now = () => Date.now() + HOUR;
    expect(await scene.run({ plan, now, holders: () => ["claude/db"] })).toMatchObject({ type: "rotated" });
    expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
  });
});

describe("recovery", () => {
  test("goes by what was valid before, where the store has drifted from the target", async () => {
    const scene = await openScene("set-X");
    expect(await scene.run()).toMatchObject({ type: "rotated" });
    const before = await scene.stored();
    expect(await scene.run()).toMatchObject({ type: "rotated" });
    // Somebody puts the value from before back at the issuer.
    scene.issuer.valid.set("app", [{ password: before, name: "" }]);
    failing(scene.issuer, "set", "500");
    expect(await scene.run()).toMatchObject({ type: "later" });
    scene.issuer.asked.length = 0;
    // Two logins are refused; a third may lock the account.
    expect(await scene.run()).toMatchObject({ type: "later" });
    expect(scene.asked()).toBe("login login");
    expect(await scene.run()).toMatchObject({ type: "rotated" });
    expect(scene.asked()).toBe("login login login set login retire");
    expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
  });

  test("is stuck where nothing that is known logs in, keeps every value, and is settled by what a person stores", async () => {
    const scene = await openScene("set-X");
    failing(scene.issuer, "set", "500");
    expect(await scene.run()).toMatchObject({ type: "later" });
    const candidate = await scene.held("candidate");
    scene.issuer.valid.set("app", [{ password: "nobody knows", name: "" }]);
    expect(await scene.run()).toMatchObject({ type: "stuck" });
    expect(await scene.run()).toMatchObject({ type: "stuck" });
    const held = [await scene.held("candidate"), await scene.held("current")];
    expect(held).toEqual([candidate, FIRST]);

    expect(await scene.settle()).toMatchObject({ type: "stuck" });
    scene.issuer.valid.set("app", [{ password: "by hand", name: "" }]);
    await scene.provider.put(
      scene.path,
      { user: new Secret("app"), password: new Secret("by hand") },
      { ifVersion: 1 },
    );
    expect(await scene.settle()).toMatchObject({ type: "rotated", version: 2 });
    expect([await scene.held("candidate"), await scene.held("current")]).toEqual(held);
    expect(await scene.settle()).toMatchObject({ type: "later" });
    expect(await scene.run()).toMatchObject({ type: "rotated" });
  });

  test("does not go on with another target than the one that began", async () => {
    const scene = await openScene("set-X");
    failing(scene.issuer, "set", "500");
    await scene.run();
    expect(await scene.run({ plan: { targetName: "another" } })).toMatchObject({ type: "stuck" });
    expect(await scene.run()).toMatchObject({ type: "rotated" });
  });

  test("leaves a claim alone that is held, but for one whose process is gone", async () => {
    const scene = await openScene("set-X");
    // A run that let go of nothing.
    const dies = () => Promise.reject(new Error("killed"));
    const { target } = scene;
    if (target.kind !== "set") throw new Error("not of this kind");
    await expect(scene.run({ target: { ...target, set: dies } })).rejects.toThrow("killed");
    expect(await scene.run({ stateOf: () => "alive" })).toMatchObject({ type: "busy", host: "here" });
    expect(await scene.run({ stateOf: () => "unknown" })).toMatchObject({ type: "busy" });
    expect(await scene.run({ stateOf: () => "dead" })).toMatchObject({ type: "rotated" });
  });

  test.each([
    ["none", false, false, "yes"],
    ["dead", false, true, "yes"],
    ["alive", false, false, "no"],
    ["unknown", false, false, "no"],
    ["alive", true, false, "yes"],
    ["unknown", true, false, "yes"],
    ["alive", true, true, "no"],
    ["unknown", true, true, "elsewhere"],
  ] as const)(
    "of an owner that is %s (expired %s, a call that is made once %s): %s",
    (owner, expired, onceOnly, may) => {
      expect(mayTakeOver({ owner, expired, onceOnly })).toBe(may);
    },
  );
});

describe("a person", () => {
  const given = (scene: Scene, password: string) => async () => {
    scene.issuer.valid.set("app", [...(scene.issuer.valid.get("app") ?? []), { password, name: "" }]);
    return { user: new Secret("app"), password: new Secret(password) };
  };

  test("gives the new value, is reminded of the old one until it is dead, and then it is over", async () => {
    const scene = await openScene("human");
    expect(await scene.run({ ask: given(scene, "by hand") })).toMatchObject({
      type: "later",
      reason: expect.stringContaining("by hand"),
      oldValidSince: expect.any(Number),
    });
    expect(await scene.stored()).toBe("by hand");
    scene.issuer.valid.set("app", [{ password: "by hand", name: "" }]);
    expect(await scene.run()).toMatchObject({ type: "rotated" });
    expect(scene.asked()).toBe("login login login");
  });

  test("who gives none changes nothing", async () => {
    const scene = await openScene("human");
    expect(await scene.run()).toMatchObject({ type: "later" });
    expect((await scene.state()).phase).toBe("idle");
    expect(await scene.stored()).toBe(FIRST);
  });
});

describe("status", () => {
  test("tells the phase, who holds it, and how the last one ended", async () => {
    const scene = await openScene("set-O");
    const status = () =>
      readRotation({ store: "local", path: scene.path }, { provider: scene.provider, now: Date.now });
    expect(await status()).toEqual({ phase: "none" });
    failing(scene.issuer, "set", "500");
    await scene.run({ plan: { slot: "a" } });
    expect(await status()).toMatchObject({
      phase: "setting",
      target: "issuer",
      slot: "a",
      startedAt: expect.any(Number),
    });
    expect(await status()).not.toHaveProperty("owner");
    await scene.run();
    expect(await status()).toMatchObject({ phase: "idle", last: { result: "rotated", version: 2, slot: "a" } });
  });
});

test("a store that cannot be written to holds no rotation", async () => {
  const scene = await openScene("set-O");
  const { put: _, ...provider } = scene.provider;
  await expect(scene.run({ provider })).rejects.toThrow(UserError);
  expect(scene.asked()).toBe("");
});

test("a rotation that the store does itself is asked for once a slot", async () => {
  const scene = await openScene("set-O");
  const asked: string[] = [];
  let rotatedAt = 0;
  const target = {
    class: "X" as const,
    kind: "native" as const,
    status: async () => ({ type: "idle" as const, rotatedAt }),
    rotate: async (id: string) => {
      asked.push(id);
      rotatedAt = Date.now();
      return { type: "idle" as const, rotatedAt };
    },
  };
  const plan = { slot: new Date().toISOString() };
  expect(await scene.run({ target, plan })).toEqual({ type: "rotated", id: asked[0] });
  expect(await scene.run({ target, plan })).toEqual({ type: "notDue" });
  expect(asked).toEqual([expect.stringMatching(/^[a-z0-9]{26}$/)]);
});
