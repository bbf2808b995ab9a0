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
  const { converse, probe } = realContext();
  return open({ ...optionsOf(given), converse, probe });
}

/** The target with a program that answers with a line and ends with a code. */
function answering(stdout: string, exit: number | undefined, more: { readonly missing?: true } = {}): MintTarget {
  const converse = () => Promise.resolve({ stdout, exit, ...more });
  return open({ ...optionsOf({ command: "/a/program" }), converse });
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

  describe("shows nothing that holds a value", () => {
    const value = "new+canary/value==";
    const fields = fieldsOf({ user: "app", password: value });
    const pem = fieldsOf({ key: "-----BEGIN-----\nline-of-the-key\n-----END-----" });
    const withheld = "what the program says holds a value";

    test.each([
      ["as it is", value, fields],
      ["in a URL", encodeURIComponent(value), fields],
      ["in a header", Buffer.from(value).toString("base64"), fields],
      ["in part, a line of it", "line-of-the-key", pem],
      ["that is current", FIRST, fields],
    ])("of those it is given: %s", async (_what, said, given) => {
      const request = requestOf(current);
      const lacking = answering(JSON.stringify({ verdict: "lacking", missing: [`admin:${said}`, "write"] }), 0);
      expect(await lacking.test(given, request)).toEqual({ type: "lacking", missing: [withheld, "write"] });
      const unreachable = answering(JSON.stringify({ verdict: "unreachable", reason: `it is ${said}` }), 0);
      expect(await unreachable.test(given, request)).toEqual({ type: "unreachable", reason: withheld });
      const failed = answering(JSON.stringify({ reason: `it is ${said}` }), 77);
      await expect(failed.retire(given, request)).rejects.toThrow(withheld);
    });

    test("nor one that it has made", async () => {
      const said = JSON.stringify({ fields: { value }, reason: `made ${value}` });
      await expect(answering(said, 75).mint(requestOf(current))).rejects.toThrow(withheld);
    });
  });

  test.each([3, 75, 77])("shows the reason of a test that ends with %s", async (exit) => {
    const verdict = await answering('{"reason":"the gate is shut"}', exit).test(current, requestOf(current));
    expect(verdict).toEqual({ type: "unreachable", reason: "the gate is shut" });
  });

  test.each(["", "done", "[]", "{}\n{}"])("has not ended a value with the answer %j", async (said) => {
    const target = answering(said, 0);
    await expect(target.retire(current, requestOf(current))).rejects.toMatchObject({ code: "target-unreachable" });
    await expect(target.discard(requestOf(current))).rejects.toMatchObject({ code: "target-unreachable" });
  });

  test("that could not be started has surely made nothing", async () => {
    const mint = answering("", undefined, { missing: true }).mint(requestOf(current));
    await expect(mint).rejects.toMatchObject({ code: "target-unreachable" });
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

  test.each([
    ["/nowhere/program", "not there"],
    ["/etc/passwd", "cannot be run"],
    ["/", "cannot be run"],
  ])("whose program is %s is a mistake in the settings", (program, named) => {
    const { converse, probe } = realContext();
    const opening = () => open({ ...optionsOf({ command: program }), converse, probe });
    const error = { code: "config-invalid", message: expect.stringContaining(named) };
    expect(opening).toThrow(expect.objectContaining(error));
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
