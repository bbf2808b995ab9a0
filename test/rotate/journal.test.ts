import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJournal, journalOf, secretOf, withoutJournals } from "../../src/core/journal.ts";
import { Secret } from "../../src/core/secret.ts";
import { readRotation } from "../../src/rotate/engine.ts";
import { readJournal } from "../../src/rotate/journal.ts";
import { exitOf } from "../../src/rotate/outcome.ts";
import { PHASES } from "../../src/rotate/state.ts";
import { passwordsOf } from "../servers/issuer.ts";
import { FIRST, type Scene, openScene } from "./scene.ts";

/** A journal in the middle of a rotation, to be damaged. */
async function halfway(): Promise<Scene> {
  const scene = await openScene("set-O");
  scene.issuer.fault = ({ operation }) => (operation === "login" ? "500" : undefined);
  expect(await scene.run()).toMatchObject({ type: "later" });
  scene.issuer.fault = () => undefined;
  expect((await scene.state()).phase).toBe("set");
  return scene;
}

async function rewrite(
  { provider, path }: Scene,
  field: string,
  change: (text: string) => string | undefined,
): Promise<void> {
  const found = await provider.read(journalOf(path), { deadline: Date.now() + 5_000 });
  const { [field]: old, ...rest } = found?.fields ?? {};
  const text = change(old?.expose() ?? "");
  const fields = text === undefined ? rest : { ...rest, [field]: new Secret(text) };
  await provider.put(journalOf(path), fields, { ifVersion: found?.version ?? 0 });
}

const stateWith = (more: Readonly<Record<string, unknown>>) => (text: string) =>
  JSON.stringify({ ...JSON.parse(text), ...more });

const DAMAGES: readonly (readonly [string, string, (text: string) => string | undefined])[] = [
  ["a state that is no JSON", "state", (text) => text.slice(0, 40)],
  ["no state", "state", () => undefined],
  ["an unknown phase", "state", stateWith({ phase: "warping" })],
  ["a newer version of the tool", "state", stateWith({ v: 2 })],
  ["a member that this version does not know", "state", stateWith({ veto: true })],
  ["a member of another type", "state", stateWith({ deadline: "soon" })],
  ["an id that is none", "state", stateWith({ id: "../etc" })],
  ["no candidate", "candidate", () => undefined],
  ["a candidate that cannot be read", "candidate", () => "{"],
  ["no current value", "current", () => undefined],
];

describe("a journal", () => {
  test.each(DAMAGES)(
    "with %s is stuck: every value stays, nothing is asked, a person is told where to look",
    async (_, field, change) => {
      const scene = await halfway();
      await rewrite(scene, field, change);
      const before = await scene.provider.read(journalOf(scene.path), { deadline: Date.now() + 5_000 });
      scene.issuer.asked.length = 0;

      const outcome = await scene.run();
      expect(exitOf(outcome)).toBe(70);
      expect(outcome).toMatchObject({ type: "stuck", check: expect.stringContaining("which value logs in") });
      expect(JSON.stringify(outcome)).not.toContain(FIRST);
      expect(scene.asked()).toBe("");
      expect(await scene.provider.read(journalOf(scene.path), { deadline: Date.now() + 5_000 })).toEqual(before);
      expect(await scene.stored()).toBe(FIRST);
      expect(passwordsOf(scene.issuer)).toHaveLength(2);
      const status = await readRotation(
        { store: "local", path: scene.path },
        { provider: scene.provider, now: Date.now },
      );
      expect(status).toMatchObject({ phase: "damaged", problem: { check: expect.any(String) } });
    },
  );

  test("of a newer version is for that version, and not to be removed", async () => {
    const scene = await halfway();
    await rewrite(scene, "state", stateWith({ v: 2 }));
    expect(await scene.run()).toMatchObject({
      reason: expect.stringContaining("newer version"),
      check: expect.stringMatching(
        /^go on with the newer version of mcp-secrets; only where there is none any more, see /,
      ),
    });
  });

  test("whose file was cut off: what a person must check comes first, and where a copy is", async () => {
    const scene = await halfway();
    const file = join(scene.home.home, "local", "secrets", `${journalOf(scene.path)}.age`);
    writeFileSync(file, readFileSync(file).subarray(0, 100));
    expect(await scene.run()).toMatchObject({
      type: "stuck",
      check: expect.stringMatching(
        /^see which value logs in: .*mcp-secrets rm .* \(a copy of it may help: cp '.*previous' /,
      ),
    });
  });

  test("whatever it holds is read or called damaged, never guessed at and never a crash", async () => {
    const scene = await halfway();
    const found = await scene.provider.read(journalOf(scene.path), { deadline: Date.now() + 5_000 });
    const members = Object.keys(JSON.parse(found?.fields["state"]?.expose() ?? "{}"));
    const change = fc.record({ name: fc.constantFrom(...members, "other"), value: fc.jsonValue() });
    await fc.assert(
      fc.asyncProperty(change, async ({ name, value }) => {
        const state = stateWith({ [name]: value })(found?.fields["state"]?.expose() ?? "{}");
        const read = async () => ({ fields: { ...found?.fields, state: new Secret(state) }, version: 1 });
        const provider = { ...scene.provider, read };
        const parsed = await readJournal({ provider, ref: { store: "local", path: scene.path } }, { deadline: 0 });
        expect(["journal", "damaged"]).toContain(parsed.type);
        if (parsed.type === "journal") expect(PHASES).toContain(parsed.state.phase);
      }),
    );
  });

  test("holds no value in its state, and none is shown", async () => {
    const scene = await halfway();
    const candidate = await scene.held("candidate");
    expect(candidate).toMatch(/^made-/);
    expect(JSON.stringify(await scene.state())).not.toContain(FIRST);
  });

  test("is nowhere among the secrets, and can be read by its path", async () => {
    const scene = await halfway();
    const { list, readAll } = withoutJournals(scene.provider);
    expect((await scene.provider.list?.())?.map(({ path }) => path)).toEqual([scene.path, journalOf(scene.path)]);
    expect((await list?.())?.map(({ path }) => path)).toEqual([scene.path]);
    expect(new Set((await readAll?.())?.map(({ path }) => path))).toEqual(new Set([scene.path]));
    expect(isJournal(journalOf("a/b"))).toBe(true);
    expect(isJournal("a/b")).toBe(false);
    expect(secretOf(journalOf("a/b"))).toBe("a/b");
  });
});
