import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { realContext } from "../../../src/context.ts";
import { openTarget } from "../../../src/commands/rotation.ts";
import type { MintTarget } from "../../../src/rotate/target.ts";
import { open } from "../../../src/rotate/targets/command.ts";
import { passwordsOf } from "../../servers/issuer.ts";
import { FIRST, type Scene, openScene } from "../scene.ts";
import { fieldsOf, optionsOf, requestOf } from "./request.ts";

const PROGRAM = join(import.meta.dirname, "command-program.mjs");
const current = fieldsOf({ user: "app", password: FIRST });

interface Options {
  readonly mode?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

function targetFor(scene: Scene, { mode = "none", settings = {}, env = {} }: Options = {}): MintTarget {
  const command = [process.execPath, PROGRAM, scene.issuer.address];
  const given = { command, env: { MODE: mode, ...env }, ...settings };
  return open({ ...optionsOf(given), converse: realContext().converse });
}

describe("the target command", () => {
  test.each(["O", "X"] as const)("rotates with a program, class %s", async (type) => {
    const scene = await openScene(`mint-${type}`);
    const target = targetFor(scene, { settings: { class: type } });
    expect(await scene.run({ target })).toMatchObject({ type: "rotated" });
    expect(scene.asked()).toBe("mint login retire");
    expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
  });

  test.each(["create:garbage", "create:3", "create:killed"])(
    "deletes what a create made whose answer was lost (%s)",
    async (mode) => {
      const scene = await openScene("mint-O");
      const broken = targetFor(scene, { mode });
      expect(await scene.run({ target: broken })).toMatchObject({ type: "later" });
      expect(scene.asked()).toBe("mint discard mint");
      expect(await scene.run({ target: targetFor(scene) })).toMatchObject({ type: "rotated" });
      expect(passwordsOf(scene.issuer)).toEqual([await scene.stored()]);
    },
  );

  test.each([
    ["test:75", "later"],
    ["test:garbage", "later"],
    ["test:killed", "later"],
    ["test:lacking", "rolledBack"],
    ["retire:75", "later"],
    ["retire:77", "adminRefused"],
    ["create:77", "adminRefused"],
  ])("%s ends a rotation as %s", async (mode, type) => {
    const scene = await openScene("mint-O");
    const outcome = await scene.run({ target: targetFor(scene, { mode }) });
    expect(outcome).toMatchObject({ type });
    expect(JSON.stringify(outcome)).not.toContain(FIRST);
    expect(passwordsOf(scene.issuer)).toContain(await scene.stored());
  });

  test("shows no reason that holds a value", async () => {
    const scene = await openScene("mint-O");
    const target = targetFor(scene, { mode: "test:reason" });
    const verdict = await target.test(current, requestOf(current));
    expect(verdict).toEqual({ type: "unreachable", reason: "what the program says holds a value" });
  });

  test("is told nothing but what it needs, and no value in its arguments or environment", async () => {
    const scene = await openScene("mint-O");
    const folder = mkdtempSync(join(tmpdir(), "mcps-command-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const log = join(folder, "log");
    const { context } = { context: { ...realContext(), env: { PATH: "/usr/bin:/bin", VAULT_TOKEN: "of-the-store" } } };
    const command = [process.execPath, PROGRAM, scene.issuer.address];
    const secret = {
      ref: { store: "local", path: scene.path },
      target: "command",
      grace: 0,
      settings: { command, env: { LOG: log } },
    };
    const settings = { trigger: "cron" as const, secrets: [secret] };
    const world = { context, settings, launches: [], openStore: async () => scene.provider };
    const target = await openTarget(world, secret);
    if (target.kind !== "mint") throw new Error("not of this kind");
    expect(await scene.run({ target })).toMatchObject({ type: "rotated" });
    const calls = readFileSync(log, "utf8").trim().split("\n");
    expect(calls.map((line) => JSON.parse(line).action)).toEqual(["create", "test", "retire"]);
    expect(Object.keys(JSON.parse(calls[0] ?? "{}").env).toSorted()).toEqual(["LOG", "PATH"]);
    expect(calls.join()).not.toContain(FIRST);
    expect(calls.join()).not.toContain(await scene.stored());
  });

  test("that is not there is no rotation: the old value stays", async () => {
    const scene = await openScene("mint-X");
    const target = targetFor(scene, { settings: { command: ["/nowhere/program"], class: "X" } });
    expect(await scene.run({ target })).toMatchObject({ type: "later" });
    expect(await scene.stored()).toBe(FIRST);
    expect(passwordsOf(scene.issuer)).toEqual([FIRST]);
  });

  test.each([
    [{}, "command"],
    [{ command: "relative" }, "absolute"],
    [{ command: "/bin/true", class: "E" }, "class"],
    [{ command: "/bin/true", timeout: 0 }, "timeout"],
    [{ command: "/bin/true", colour: "red" }, "colour"],
  ])("refuses the settings %j, naming the place", (settings, named) => {
    const opening = () => open({ ...optionsOf(settings), converse: realContext().converse });
    expect(opening).toThrow(
      expect.objectContaining({ code: "config-invalid", message: expect.stringContaining(named) }),
    );
  });
});
