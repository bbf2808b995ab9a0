import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runRotate } from "../../src/commands/rotate.ts";
import { underRotationLock } from "../../src/commands/rotation-lock.ts";
import type { Context } from "../../src/context.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { openStore } from "../../src/stores.ts";
import { testContext } from "../helpers/context.ts";
import { published } from "../helpers/schema.ts";
import { withTerminal } from "../helpers/terminal.ts";

const REF = "mcp-secret://local/mail/MAIL_TOKEN";
const OTHER = "mcp-secret://local/mail/OTHER_TOKEN";

async function worldOf() {
  const world = testContext();
  onTestFinished(() => world[Symbol.dispose]());
  const { context } = world;
  const store = await openStore(context, "local");
  const put = (value: string, ifVersion: number) =>
    store.put?.("mail/MAIL_TOKEN", { value: new Secret(value) }, { ifVersion });
  await put("old-canary", 0);
  mkdirSync(context.home, { recursive: true });
  writeFileSync(join(context.home, "config.jsonc"), JSON.stringify({ rotation: { [REF]: { target: "human" } } }));
  const value = async () => (await store.read?.("mail/MAIL_TOKEN", { deadline: Infinity }))?.fields["value"]?.expose();
  return { ...world, put, value };
}

/** Somebody who does `meanwhile` before typing. */
function askedBy(context: Context, meanwhile: () => Promise<unknown>): Context {
  const user = withTerminal(context, { typed: ["typed-canary"] });
  const { askHidden } = user.terminal;
  const asking = async (question: string) => {
    await meanwhile();
    return askHidden(question);
  };
  return { ...user, terminal: { ...user.terminal, askHidden: asking } };
}

test("a person is asked while others may rotate", async () => {
  const { context, value } = await worldOf();
  let free = false;
  const meanwhile = () => underRotationLock(context, async () => void (free = true), 0);
  expect(await runRotate(askedBy(context, meanwhile), [REF], {})).toBe(0);
  expect(free).toBe(true);
  expect(await value()).toBe("typed-canary");
});

test("what somebody else has stored while a person was asked is not replaced unseen", async () => {
  const { context, put, value, taken } = await worldOf();
  expect(
    await runRotate(
      askedBy(context, async () => put("theirs", 1)),
      [REF],
      {},
    ),
  ).toBe(75);
  expect(await value()).toBe("theirs");
  expect(taken().out).toContain("was replaced while you were asked");
});

test("a run that keeps all others out for too long is told, by cron and by doctor", async () => {
  const { context, taken } = await worldOf();
  const late = { ...context, now: () => Date.now() + 3_600_000 };
  await underRotationLock(context, async () => {
    expect(await runRotate(context, [], { due: true })).toBe(0);
    const due = runRotate(late, [], { due: true });
    const told = `process ${process.pid} has been at it since`;
    await expect(due).rejects.toMatchObject({ code: "locked", exit: 75, message: expect.stringContaining(told) });
    taken();
    expect(await runDoctor(late, { json: true })).toBe(1);
    const { checks } = JSON.parse(taken().out);
    expect(checks).toContainEqual({
      about: "rotation",
      state: "problem",
      detail: expect.stringContaining(told),
      hint: expect.stringContaining(`ps -p ${process.pid}`),
    });
  });
  expect(await runRotate(late, [], { due: true })).toBe(0);
});

test.each([{}, { retired: true }])("each secret has its line where another run is at it (%j)", async (options) => {
  const { context, taken } = await worldOf();
  const lock = () => Promise.reject(new UserError("locked", "process 1 has held it for too long"));
  expect(await runRotate({ ...context, lock }, [REF, OTHER], { json: true, ...options })).toBe(75);
  const lines = taken().out.trimEnd().split("\n");
  const failed = { outcome: "failed", exit: 75, error: { code: "locked" } };
  expect(lines.map((line) => published("rotate", line))).toMatchObject([
    { reference: REF, ...failed },
    { reference: OTHER, ...failed },
  ]);
});
