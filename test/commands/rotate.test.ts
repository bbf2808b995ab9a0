import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runRotate } from "../../src/commands/rotate.ts";
import { runRotateStatus } from "../../src/commands/rotate-status.ts";
import { runSet } from "../../src/commands/set.ts";
import type { Context } from "../../src/context.ts";
import { parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { markExposed } from "../../src/rotate/marks.ts";
import { openStore } from "../../src/stores.ts";
import { testContext } from "../helpers/context.ts";
import { published } from "../helpers/schema.ts";
import { withTerminal } from "../helpers/terminal.ts";

const REF = "mcp-secret://local/mail/MAIL_TOKEN";
const ABC = "mcp-secret://local/abc/MAIL_TOKEN";
const OLD = "k3J9sQ2vXw7Lm4Np8Rt1";

const PAIR = { target: "postgresql", host: "h", database: "d", roles: ["a", "b"] };

async function worldOf(rotation?: object) {
  const world = testContext();
  onTestFinished(() => world[Symbol.dispose]());
  const { context } = world;
  const store = await openStore(context, "local");
  const put = (path: string, value: string) => store.put?.(path, { value: new Secret(value) }, { ifVersion: 0 });
  const setUp = (settings: object) => {
    mkdirSync(context.home, { recursive: true, mode: 0o700 });
    writeFileSync(join(context.home, "config.jsonc"), JSON.stringify({ rotation: settings }), { mode: 0o600 });
  };
  if (rotation !== undefined) setUp(rotation);
  const value = async () => (await store.read?.("mail/MAIL_TOKEN", { deadline: Infinity }))?.fields["value"]?.expose();
  const events = () =>
    readFileSync(join(context.home, "audit/audit.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).event as string);
  return { ...world, store, put, setUp, value, events };
}

/** A vendor that knows `keys`. */
async function vendor(keys: Set<string>): Promise<string> {
  const server = createServer((request, response) => {
    const key = request.headers.authorization?.replace("Bearer ", "") ?? "";
    response.writeHead(keys.has(key) ? 200 : 401, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/me`;
}

describe("a person makes the new value", () => {
  test("it is asked for without echo, becomes current, and the old one is in question until somebody says it is dead", async () => {
    const { context, put, value, taken, events } = await worldOf();
    await put("mail/MAIL_TOKEN", OLD);
    expect(await runRotate(withTerminal(context, { typed: ["new-canary-1"] }), [REF], {})).toBe(0);
    const said = taken();
    expect(said.out).toMatch(/rotated, the old value is to be ended/);
    expect(said.err).toContain(`mcp-secrets rotate ${REF} --retired`);
    expect(said.err).toContain("1. ");
    expect(said.out + said.err).not.toContain("canary");
    expect(await value()).toBe("new-canary-1");

    await runRotateStatus(context, { json: true });
    expect(published("rotate-status", taken().out)).toMatchObject({
      secrets: [{ state: "replaced", target: "human" }],
    });
    await runDoctor(context, { json: true });
    expect(taken().out).toContain("nobody has said that the old value is dead");
    expect(await runRotate(context, [REF], { retired: true })).toBe(0);
    expect(events()).toEqual(["rotated", "retired"]);
    await runDoctor(context, { json: true });
    expect(taken().out).not.toContain('the old value is dead"');
  });

  test("one that the vendor does not know is not promoted; one that it knows is", async () => {
    const keys = new Set(["good-canary"]);
    const url = await vendor(keys);
    const page = "https://vendor.example/keys";
    const { context, put, value, taken, events } = await worldOf({ [REF]: { target: "human", page, check: { url } } });
    await put("mail/MAIL_TOKEN", OLD);
    keys.add(OLD);
    const typed = (text: string) => withTerminal(context, { typed: [text] });
    expect(await runRotate(typed("bad-canary"), [REF], {})).toBe(1);
    expect(taken().out).toMatch(/rolled back/);
    expect(await value()).toBe(OLD);
    expect(await runRotate(typed("good-canary"), [REF], {})).toBe(0);
    expect(await value()).toBe("good-canary");
    expect(taken().err).toContain(`page: ${page}`);
    // While the vendor still knows the old one, nobody's word counts, and cron keeps quiet.
    expect(await runRotate(context, [REF], { retired: true })).toBe(0);
    expect(taken().out).toContain("the old value is to be ended");
    expect(await runRotate(context, [], { due: true })).toBe(0);
    expect(taken()).toEqual({ out: "", err: "" });
    keys.delete(OLD);
    expect(await runRotate(context, [], { due: true, json: true })).toBe(0);
    expect(published("rotate", taken().out)).toMatchObject({ outcome: "rotated", version: 2 });
    expect(events()).toEqual(["rolled-back", "rotated", "retired"]);
  });

  test("other fields of the secret stay", async () => {
    const { context, store } = await worldOf({ [REF]: { target: "human", fields: ["id", "key"] } });
    const fields = { id: new Secret("1"), key: new Secret("2"), host: new Secret("h") };
    await store.put?.("mail/MAIL_TOKEN", fields, { ifVersion: 0 });
    expect(await runRotate(withTerminal(context, { typed: ["3", "4"] }), [REF], {})).toBe(0);
    const found = await store.read?.("mail/MAIL_TOKEN", { deadline: Infinity });
    const shown = Object.entries(found?.fields ?? {}).map(([name, secret]) => [name, secret.expose()]);
    expect(Object.fromEntries(shown)).toEqual({ host: "h", id: "3", key: "4" });
  });

  test("where no settings say it, the value tells whose page it is, and is sent nowhere", async () => {
    const { context, put, taken } = await worldOf();
    await put("mail/MAIL_TOKEN", `sk_live_${"4f8A1b0C7d2E".repeat(2)}`);
    const http = () => {
      throw new Error("something was sent");
    };
    expect(await runRotate({ ...context, http }, [REF], { guide: true })).toBe(0);
    expect(taken().out).toContain("page: https://dashboard.stripe.com/apikeys\n1. at Stripe: ");
    expect(await runRotate(withTerminal({ ...context, http }, { typed: ["new-canary"] }), [REF], {})).toBe(0);
    expect(taken().err).toContain("page: https://dashboard.stripe.com/apikeys");
  });

  test.each([
    [undefined, "stdin is not a terminal"],
    [[""], "no value was given"],
    [[undefined], "no value was given"],
    [[OLD], "that is the value that"],
  ])("typed %j: nothing changes", async (typed, message) => {
    const { context, put, value } = await worldOf();
    await put("mail/MAIL_TOKEN", OLD);
    const user = typed === undefined ? context : withTerminal(context, { typed });
    await expect(runRotate(user, [REF], {})).rejects.toThrow(message);
    expect(await value()).toBe(OLD);
  });

  test("a page is opened only with somebody at the terminal, and cron asks nobody", async () => {
    const rule = { target: "human", vendor: "stripe", maxAge: "1s" };
    const { context, put, taken } = await worldOf({ [REF]: rule });
    await put("mail/MAIL_TOKEN", OLD);
    const run: Context["run"] = () => {
      throw new Error("a program was started");
    };
    const later = { ...context, run, now: () => Date.now() + 60_000 };
    expect(await runRotate(later, [], { due: true })).toBe(0);
    expect(taken()).toEqual({ out: "", err: "" });
    expect(await runRotate(later, [REF], { guide: true })).toBe(0);
    expect(taken().out).toContain("page: https://dashboard.stripe.com/apikeys");
    await runRotateStatus(context, { json: true });
    expect(published("rotate-status", taken().out)).toMatchObject({ secrets: [{ state: "ok" }] });
    await runRotateStatus(later, { json: true });
    expect(published("rotate-status", taken().out)).toMatchObject({ secrets: [{ state: "due" }] });

    const opened: string[] = [];
    const desk: Context = {
      ...withTerminal(context, { typed: [""] }),
      platform: "darwin",
      run: (command, args) => {
        opened.push([command, ...args].join(" "));
        return Promise.resolve({ stdout: "", stderr: "", exit: 0 });
      },
    };
    await expect(runRotate(desk, [REF], {})).rejects.toThrow("no value was given");
    expect(opened).toEqual(["open https://dashboard.stripe.com/apikeys"]);
  });
});

describe("what was in plaintext", () => {
  async function migrated() {
    const world = await worldOf();
    const config = join(world.folder, "Dropbox", "config.json");
    const other = join(world.folder, "other.json");
    mkdirSync(join(world.folder, "Dropbox"));
    const server = (name: string, value: string) => ({ [name]: { command: "node", env: { MAIL_TOKEN: value } } });
    writeFileSync(config, JSON.stringify({ mcpServers: server("mail", OLD) }));
    writeFileSync(other, JSON.stringify({ mcpServers: server("abc", "q7Rt2LmZx94KvBn1Yc8W") }));
    expect(await runMigrate(world.context, { config: [config, other], yes: true })).toBe(0);
    world.taken();
    return { ...world, config, other };
  }

  test("is told with where it was, the worst first, until it is replaced", async () => {
    const { context, taken, config, other } = await migrated();
    expect(await runRotate(context, [], { exposed: true, dryRun: true, json: true })).toBe(1);
    const lines = taken()
      .out.trimEnd()
      .split("\n")
      .map((line) => published("rotate", line));
    expect(lines).toMatchObject([
      { reference: REF, risk: "shared", outcome: "exposed", places: [{ config, server: "mail" }] },
      { reference: "mcp-secret://local/abc/MAIL_TOKEN", risk: "disk", places: [{ config: other, server: "abc" }] },
    ]);
    expect(await runDoctor(context, { json: true })).toBe(1);
    expect(taken().out).toMatch(
      /in plaintext once, not rotated since: mcp-secret:..local.mail.MAIL_TOKEN in a shared folder/,
    );

    await runSet(withTerminal(context, { stdin: OLD }), REF);
    await runSet(withTerminal(context, { stdin: "new-canary" }), "mcp-secret://local/abc/MAIL_TOKEN");
    taken();
    // The same value again is no replacement.
    expect(await runRotate(context, [], { exposed: true })).toBe(1);
    const { out } = taken();
    expect(out).toContain(REF);
    expect(out).not.toContain("abc");
  });

  test("and has no target is left to a person, with what to do", async () => {
    const { context, taken } = await migrated();
    expect(await runRotate(context, [], { exposed: true, guide: true })).toBe(0);
    expect(taken().out).toContain(`mcp-secrets rotate ${REF} --retired`);
    expect(await runRotate(withTerminal(context, { typed: ["new-canary"] }), [REF], {})).toBe(0);
    taken();
    expect(await runRotate(context, [], { exposed: true, json: true })).toBe(1);
    expect(taken().out.trimEnd().split("\n")).toHaveLength(1);
    // Nobody's word makes a value dead that the store still gives: nothing is noted, of the other neither.
    await expect(runRotate(context, [REF, ABC], { retired: true })).rejects.toMatchObject({
      code: "refused",
      message: expect.stringContaining(ABC),
      hint: `mcp-secrets rotate ${ABC} replaces it`,
    });
    expect(await runRotate(context, [], { exposed: true })).toBe(1);
    await runSet(withTerminal(context, { stdin: "new-canary-2" }), ABC);
    taken();
    expect(await runRotate(context, [ABC, ABC], { retired: true, json: true })).toBe(0);
    expect(published("rotate", taken().out)).toMatchObject({ reference: ABC, outcome: "retired", exit: 0 });
    expect(await runRotate(context, [REF, ABC], { retired: true })).toBe(0);
    taken();
    expect(await runRotate(context, [], { exposed: true })).toBe(0);
    expect(await runDoctor(context, {})).toBe(0);
  });

  test("and is gone from the store is gone with somebody's word", async () => {
    const { context, store } = await migrated();
    await store.remove?.("abc/MAIL_TOKEN");
    expect(await runRotate(context, [ABC], { retired: true })).toBe(0);
  });

  test("and was not what the person was asked for stays exposed", async () => {
    const { context, store, setUp } = await migrated();
    setUp({ [ABC]: { target: "human", fields: ["id"] } });
    const value = new Secret("q7Rt2LmZx94KvBn1Yc8W");
    await store.put?.("abc/MAIL_TOKEN", { id: new Secret("1"), value }, { ifVersion: 1 });
    await markExposed(context, [{ ref: parseRef(ABC), version: 2, places: [] }], 0);
    expect(await runRotate(withTerminal(context, { typed: ["2"] }), [ABC], {})).toBe(0);
    expect(await runRotate(context, [ABC], { retired: true })).toBe(0);
    await expect(runRotate(context, [ABC], { retired: true })).rejects.toThrow("is the one that was in plaintext");
  });

  test("and was replaced on another machine is no longer exposed", async () => {
    const { context, store, taken } = await migrated();
    await store.put?.("mail/MAIL_TOKEN", { value: new Secret("elsewhere") }, { ifVersion: 1 });
    await runRotateStatus(context, { json: true });
    const { secrets } = JSON.parse(taken().out);
    expect(secrets.map(({ state }: { state: string }) => state)).toEqual(["exposed", "replaced"]);
  });
});

describe("stuck", () => {
  test("a damaged journal keeps automation away, with 70 and what to look at", async () => {
    const { context, store, put, value, taken } = await worldOf({ [REF]: { target: "human", maxAge: "1d" } });
    await put("mail/MAIL_TOKEN", OLD);
    await store.put?.("mail/MAIL_TOKEN~rotation", { journal: new Secret("{") }, { ifVersion: 0 });
    for (const options of [{ due: true }, {}]) {
      expect(await runRotate(context, "due" in options ? [] : [REF], options)).toBe(70);
      expect(taken()).toMatchObject({ out: expect.stringContaining("STUCK"), err: expect.stringContaining("hint: ") });
    }
    expect(await runRotateStatus(context, {})).toBe(70);
    expect(await value()).toBe(OLD);
    taken();
    expect(await runDoctor(context, {})).toBe(1);
    expect(taken().out).toContain("rotation is stuck");
  });
});

test("the guide of all that a person rotates, by the settings or because it was in plaintext", async () => {
  const { context, put, setUp, taken } = await worldOf();
  await put("mail/MAIL_TOKEN", OLD);
  expect(await runRotate(context, [], { guide: true })).toBe(0);
  expect(taken().out).toBe("no secret is known that a person rotates\n");
  setUp({ [REF]: { target: "human", vendor: "stripe" }, "mcp-secret://local/db/app": PAIR });
  await markExposed(context, [{ ref: parseRef(ABC), version: 1, places: [] }], 0);
  expect(await runRotate(context, [], { guide: true })).toBe(0);
  const { out } = taken();
  expect(out).toContain(`${REF}\npage: https://dashboard.stripe.com/apikeys`);
  expect(out).toContain(`${ABC}\n1. `);
  expect(out).not.toContain("db/app");
});

test("a reference that is given twice is one", async () => {
  const { context, put, taken } = await worldOf();
  await put("mail/MAIL_TOKEN", OLD);
  expect(await runRotate(withTerminal(context, { typed: ["new-canary"] }), [REF, REF], { json: true })).toBe(0);
  expect(taken().out.trimEnd().split("\n")).toHaveLength(1);
});

test.each([
  [[], {}],
  [[REF], { due: true }],
  [[], { due: true, exposed: true }],
  [[], { due: true, retired: true }],
  [[], { due: true, guide: true }],
  [[], { guide: true, settle: true }],
  [[], { retired: true }],
  [[], { exposed: true, settle: true }],
  [[REF], { retired: true, settle: true }],
  [[`${REF}#password`], {}],
  [["k3J9sQ2vXw7Lm4Np8Rt1"], {}],
])("rotate %j %j is no usage, and no value is repeated", async (words, options) => {
  const { context } = await worldOf();
  const failure = await runRotate(context, words, options).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "usage" });
  expect(String(failure)).not.toContain(OLD);
});

test("a secret whose store or target cannot be asked is told, and the settings are named where they are wrong", async () => {
  const { context, taken, setUp } = await worldOf({ "mcp-secret://nowhere/a": { target: "human", maxAge: "1d" } });
  expect(await runRotate(context, [], { due: true })).toBe(65);
  expect(taken().out).toContain("there is no store nowhere");
  setUp({ [REF]: { target: "nothing" } });
  expect(await runRotate(context, [REF], {})).toBe(65);
  expect(taken().out).toContain("target is not known: nothing");
  setUp({ [REF]: { target: "human", maxAge: "soon" } });
  await expect(runRotateStatus(context, {})).rejects.toThrow(`rotation.${REF}.maxAge`);
});

test.each([
  [{ target: "nope" }, "target is not known: nope"],
  [{ ...PAIR, maxage: "30d" }, "maxage is not a setting"],
  [{ ...PAIR, roles: ["a"] }, "roles must be two roles"],
  [{ ...PAIR, roles: ["a", "a"] }, "roles must be two roles"],
  [{ ...PAIR, port: 99_999 }, "port must be a whole number"],
  [{ ...PAIR, host: undefined }, "host is missing"],
  [{ ...PAIR, admin: "admin" }, "admin must be the reference of a secret"],
  [{ ...PAIR, admin: `${REF}#password` }, "admin names a field"],
  [{ target: "mysql", host: "h" }, "admin is missing"],
  [{ target: "redis", hosts: ["h"] }, "host is missing"],
  [{ target: "aws-iam", user: "u", admin: "x" }, "admin must be the reference of a secret"],
  [{ target: "vendor", vendor: "openai", admin: "x" }, "admin must be the reference of a secret"],
  [{ target: "command", command: ["relative"] }, "command must begin with an absolute path"],
  [{ target: "human", fields: [] }, "fields is missing"],
  [{ target: "native" }, "rotates nothing by itself"],
])("%j is told wherever the settings are read, and not on the day when it is due", async (rule, message) => {
  const { context, put, taken } = await worldOf({ [REF]: { maxAge: "30d", ...rule } });
  await put("mail/MAIL_TOKEN", OLD);
  expect(await runRotateStatus(context, { json: true })).toBe(1);
  expect(taken().out).toContain(message);
  expect(await runDoctor(context, { json: true })).toBe(1);
  expect(taken().out).toContain(message);
  for (const options of [{ due: true }, { due: true, dryRun: true }, { dryRun: true }]) {
    expect(await runRotate(context, "due" in options ? [] : [REF], options)).not.toBe(0);
    expect(taken().out).toContain(message);
  }
});

test("what the settings name and is not there is told: the secret itself, and an administrator's", async () => {
  const admin = "mcp-secret://local/db/admin";
  const { context, put, taken } = await worldOf({ [REF]: { ...PAIR, maxAge: "30d", admin } });
  expect(await runDoctor(context, { json: true })).toBe(1);
  expect(taken().out).toContain(`no secret ${REF}`);
  expect(await runRotate(context, [], { due: true })).toBe(69);
  await put("mail/MAIL_TOKEN", OLD);
  rmSync(join(context.home, "rotation"), { recursive: true });
  taken();
  expect(await runDoctor(context, { json: true })).toBe(1);
  const { checks } = JSON.parse(taken().out);
  expect(checks.filter(({ state }: { state: string }) => state === "problem")).toEqual([
    expect.objectContaining({
      about: REF,
      detail: `rotation.${REF}.admin: no secret ${admin}`,
      hint: `mcp-secrets set ${admin}`,
    }),
  ]);
  await put("db/admin", "x");
  expect(await runDoctor(context, { json: true })).toBe(0);
});

test("the journal of a rotation is nobody's to write or to rotate", async () => {
  const { context, put, setUp } = await worldOf();
  await put("mail/MAIL_TOKEN", OLD);
  const journal = `${REF}~rotation`;
  const usage = { code: "usage", message: `${journal} is the journal of the rotation of ${REF}` };
  await expect(runSet(withTerminal(context, { stdin: "x" }), journal)).rejects.toMatchObject(usage);
  await expect(runRotate(context, [journal], {})).rejects.toMatchObject(usage);
  setUp({ [journal]: { target: "human" } });
  await expect(runRotateStatus(context, {})).rejects.toThrow(`rotation.${journal} is the journal of a rotation`);
});

test("a run that fails before anything is written is the last result, and doctor is red", async () => {
  const rule = { ...PAIR, host: "127.0.0.1", port: 1, roles: undefined, role: "app", maxAge: "30d" };
  const { context, put, taken } = await worldOf({ [REF]: { ...rule, admin: "mcp-secret://local/db/admin" } });
  await put("mail/MAIL_TOKEN", OLD);
  expect(await runRotate(context, [REF], {})).toBe(69);
  taken();
  await runRotateStatus(context, { json: true });
  expect(published("rotate-status", taken().out)).toMatchObject({
    secrets: [
      { phase: "setting", lastRun: { outcome: "failed", exit: 69, reason: expect.stringContaining("db/admin") } },
    ],
  });
  await runRotateStatus(context, {});
  expect(taken()).toMatchObject({
    out: expect.stringMatching(/failed 0 s ago/),
    err: expect.stringContaining("no secret mcp-secret://local/db/admin"),
  });
  await runDoctor(context, {});
  expect(taken().out).toMatch(/its rotation does not go on: no secret/);
});

test("for one that is stuck nothing is next", async () => {
  const { context, store, put, taken } = await worldOf({ [REF]: { target: "human", maxAge: "1d" } });
  await put("mail/MAIL_TOKEN", OLD);
  await store.put?.("mail/MAIL_TOKEN~rotation", { state: new Secret("{") }, { ifVersion: 0 });
  await runRotateStatus(context, { json: true });
  const [secret] = JSON.parse(taken().out).secrets;
  expect(secret).toMatchObject({ state: "stuck" });
  expect(secret).not.toHaveProperty("next");
});

test("a value that is dated in the future is told: its slot is that much too far away", async () => {
  const rule = { ...PAIR, maxAge: "30d", host: "127.0.0.1", port: 1 };
  const { context, put, taken } = await worldOf({ [REF]: rule });
  await put("mail/MAIL_TOKEN", OLD);
  const back = { ...context, now: () => Date.now() - 34 * 86_400_000 };
  await runRotateStatus(back, {});
  expect(taken()).toMatchObject({
    out: expect.stringMatching(/postdated +dated in 3[34] d/),
    err: expect.stringContaining("see that the clock is right"),
  });
  expect(await runDoctor(back, { json: true })).toBe(1);
  expect(taken().out).toMatch(/dated 3[34] d in the future/);
  // As far as two clocks may differ nothing is said.
  await runRotateStatus({ ...context, now: () => Date.now() - 60_000 }, { json: true });
  expect(published("rotate-status", taken().out)).toMatchObject({ secrets: [{ state: "ok" }] });
});
