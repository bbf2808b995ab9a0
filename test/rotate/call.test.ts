import { describe, expect, test } from "vitest";
import type { MintTarget, RotationRequest } from "../../src/rotate/target.ts";
import type { Owner, OwnerState } from "../../src/core/owner.ts";
import { passwordsOf } from "../servers/issuer.ts";
import { FIRST, type Scene, openScene } from "./scene.ts";

/** A run is killed while the issuer, or a program, makes a new value: what goes on is not judged before it is over. */

const PROGRAM = { pid: 4711, host: "here", boot: "", namespace: "", started: "", since: 0 };

function minterOf({ target }: Scene): MintTarget {
  if (target.kind !== "mint") throw new Error("not of this kind");
  return target;
}

/** A run that dies with its call under way; what it returns lets the call be carried out. */
async function killedWhileMinting(scene: Scene): Promise<() => Promise<unknown>> {
  const target = minterOf(scene);
  let carriedOut = () => Promise.resolve<unknown>(undefined);
  const mint = async (request: RotationRequest) => {
    await request.started?.(PROGRAM.pid);
    carriedOut = () => target.mint(request);
    throw new Error("killed");
  };
  const owner = (pid = process.pid) => ({ ...PROGRAM, pid });
  await expect(scene.run({ target: { ...target, mint }, owner })).rejects.toThrow("killed");
  return () => carriedOut();
}

const hasProgram = (alive: boolean) => ({
  stateOf: ({ pid }: Owner): OwnerState => (alive && pid === PROGRAM.pid ? "alive" : "dead"),
});

describe("a call that outlives its run", () => {
  test("class X: the old value is not asked before the call is over, and nothing is given up", async () => {
    const scene = await openScene("mint-X");
    const carryOut = await killedWhileMinting(scene);
    expect((await scene.state()).call).toMatchObject({ attempt: 1, program: PROGRAM });
    // The call is carried out while the next run waits for its end.
    const sleep = async (time: number) => {
      expect(time).toBeGreaterThan(20_000);
      expect(scene.asked()).toBe("");
      await carryOut();
      hour = 3_600_000;
    };
    let hour = 0;
    const now = () => Date.now() + hour;
    expect(await scene.run({ sleep, now })).toMatchObject({ type: "stuck" });
    expect(scene.asked()).toBe("mint login");
    expect(await scene.held("current")).toBe(FIRST);
  });

  test("class X: was it never carried out, the old value tells so afterwards", async () => {
    const scene = await openScene("mint-X");
    await killedWhileMinting(scene);
    expect(await scene.run()).toMatchObject({ type: "later" });
    expect((await scene.state()).phase).toBe("idle");
    expect(await scene.run()).toMatchObject({ type: "rotated" });
  });

  test("class O: what it makes is taken away when it is over, and not before", async () => {
    const scene = await openScene("mint-O");
    const carryOut = await killedWhileMinting(scene);
    let hour = 0;
    const sleep = async () => {
      await carryOut();
      hour = 3_600_000;
    };
    expect(await scene.run({ sleep, now: () => Date.now() + hour })).toMatchObject({ type: "rotated" });
    expect(scene.asked()).toBe("mint discard mint login retire");
    expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
  });

  test.each(["mint-O", "mint-X"] as const)("%s: a program that still runs after its time is told of", async (kind) => {
    const scene = await openScene(kind);
    await killedWhileMinting(scene);
    const outcome = await scene.run(hasProgram(true));
    expect(outcome).toMatchObject({ type: "later", reason: expect.stringContaining("process 4711") });
    expect(scene.asked()).toBe("");
    expect(await scene.run(hasProgram(false))).toMatchObject({ type: kind === "mint-O" ? "rotated" : "later" });
    expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
  });

  test("that may take long is not waited for: the next run comes later", async () => {
    const scene = await openScene("mint-X");
    const target = { ...minterOf(scene), callTime: 600_000 };
    await killedWhileMinting({ ...scene, target });
    const sleep = () => Promise.reject(new Error("slept"));
    expect(await scene.run({ sleep })).toMatchObject({ type: "later", reason: expect.stringContaining("until") });
    const now = () => Date.now() + 700_000;
    expect(await scene.run({ sleep, now })).toMatchObject({ type: "later", reason: expect.stringContaining("no new") });
  });

  test("is not made where the journal cannot be told of its program", async () => {
    const scene = await openScene("mint-X");
    const target = minterOf(scene);
    const { put } = scene.provider;
    let writes = 0;
    const provider = {
      ...scene.provider,
      put: (...given: Parameters<typeof put>) =>
        (writes += 1) === 3 ? Promise.reject(new Error("no")) : put(...given),
    };
    const mint = async (request: RotationRequest) => {
      await request.started?.(PROGRAM.pid);
      return target.mint(request);
    };
    await expect(scene.run({ provider, target: { ...target, mint } })).rejects.toThrow("no");
    expect(scene.asked()).toBe("");
  });
});
