import { describe, expect, test } from "vitest";
import type { Fields } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import type { MintTarget } from "../../src/rotate/target.ts";
import { passwordsOf } from "../servers/issuer.ts";
import { FIRST, type Scene, openScene } from "./scene.ts";

/** A mint whose answer is no new value; `change` makes the answer out of the good one and what is current. */
function answering({ target }: Scene, change: (made: Fields, current: Fields) => Fields): MintTarget {
  if (target.kind !== "mint") throw new Error("not of this kind");
  return {
    ...target,
    mint: async (request) => change(await target.mint(request), request.current),
  };
}

const withoutUser = ({ password = new Secret("") }: Fields): Fields => ({ password });

describe("an issuer that gives the value that is current", () => {
  test.each([
    ["the same", (_: Fields, current: Fields) => current],
    ["the same and more", (_: Fields, current: Fields) => ({ ...current, note: new Secret("more") })],
  ])("class O: %s is no new value, and nothing is ended", async (_what, change) => {
    const scene = await openScene("mint-O");
    scene.issuer.limit = 1;
    const { target } = scene;
    if (target.kind !== "mint") throw new Error("not of this kind");
    const giving = { ...target, mint: async ({ current }: { current: Fields }) => change({}, current) };
    const outcome = await scene.run({ target: giving });
    expect(outcome).toMatchObject({ type: "adminRefused", reason: expect.stringContaining("current") });
    expect(scene.asked()).toBe("");
    expect(passwordsOf(scene.issuer)).toEqual([FIRST]);
    expect((await scene.state()).phase).toBe("idle");
  });

  test("class X: the old value tells whether it still works", async () => {
    const scene = await openScene("mint-X");
    const { target } = scene;
    if (target.kind !== "mint") throw new Error("not of this kind");
    const giving = { ...target, mint: async ({ current }: { current: Fields }) => current };
    expect(await scene.run({ target: giving })).toMatchObject({ type: "later" });
    expect(scene.asked()).toBe("login");
    const dead = answering(scene, (_, current) => current);
    expect(await scene.run({ target: dead })).toMatchObject({ type: "stuck" });
    // Nothing may be shown to an issuer that ends the new one for it.
    const family = await openScene("mint-X", { reuseRevokes: true });
    expect(await family.run({ target: { ...giving, reuseRevokes: true } })).toMatchObject({ type: "adminRefused" });
    expect(family.asked()).toBe("");
  });
});

describe("a new value without all fields of the secret", () => {
  test("class O: is taken away again, and never promoted", async () => {
    const scene = await openScene("mint-O");
    const outcome = await scene.run({ target: answering(scene, withoutUser) });
    expect(outcome).toMatchObject({ type: "rolledBack", why: { type: "incomplete", missing: ["user"] } });
    expect(scene.phases).not.toContain("promoted");
    expect(passwordsOf(scene.issuer)).toEqual([FIRST]);
    expect(await scene.held("quarantine")).toMatch(/^minted-/);
    expect((await scene.state()).last).toMatchObject({ result: "rolledBack", reason: "it lacked user" });
    expect(await scene.run()).toMatchObject({ type: "rotated" });
  });

  test("class X: is kept for a person, also where the run was killed before it could say so", async () => {
    for (const killed of [false, true]) {
      const scene = await openScene("mint-X");
      const { put } = scene.provider;
      let writes = 0;
      const dying = {
        ...scene.provider,
        put: (...given: Parameters<typeof put>) =>
          killed && (writes += 1) > 2 ? Promise.reject(new Error("killed")) : put(...given),
      };
      const first = scene.run({ target: answering(scene, withoutUser), provider: dying });
      if (killed) await expect(first).rejects.toThrow("killed");
      const outcome = killed ? await scene.run() : await first;
      expect(outcome).toMatchObject({ type: "stuck", reason: expect.stringContaining("user") });
      expect(scene.asked()).toBe("mint");
      expect(passwordsOf(scene.issuer)).toEqual([await scene.held("candidate")]);
    }
  });
});

describe("what is to be ended", () => {
  test("is not, where somebody has stored it again", async () => {
    const scene = await openScene("set-O");
    const plan = { grace: 3_600_000 };
    expect(await scene.run({ plan, holders: () => ["claude/db"] })).toMatchObject({ type: "draining" });
    const old = { user: new Secret("app"), password: new Secret(FIRST) };
    await scene.provider.put(scene.path, old, { ifVersion: 2 });
    expect(await scene.run({ plan })).toMatchObject({ type: "stuck", reason: expect.stringContaining("stored now") });
    expect(passwordsOf(scene.issuer)).toContain(FIRST);
    expect(await scene.settle()).toMatchObject({ type: "rotated" });
  });
});

test("a person's value that is the current one is none", async () => {
  const scene = await openScene("human");
  const ask = async () => ({ user: new Secret("app"), password: new Secret(FIRST) });
  expect(await scene.run({ ask })).toMatchObject({ type: "later", reason: expect.stringContaining("current") });
});
