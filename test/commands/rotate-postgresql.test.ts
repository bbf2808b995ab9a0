import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runPs } from "../../src/commands/ps.ts";
import { runRotate } from "../../src/commands/rotate.ts";
import { runRotateStatus } from "../../src/commands/rotate-status.ts";
import type { Context } from "../../src/context.ts";
import { parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { recordLaunch } from "../../src/launch/registry.ts";
import { clearMarks, markExposed } from "../../src/rotate/marks.ts";
import { openStore } from "../../src/stores.ts";
import { testContext } from "../helpers/context.ts";
import { published } from "../helpers/schema.ts";
import { logsIn, query } from "../servers/postgres-client.ts";
import { type Postgres, startPostgres } from "../servers/postgres.ts";

/** The commands on a real PostgreSQL and the local store. */

const SUPERUSER = "p@ss#w%rd/1-canary";
const DAY = 86_400_000;
let postgres: Postgres | undefined;

beforeAll(async () => {
  postgres = await startPostgres(SUPERUSER);
});
afterAll(async () => postgres?.[Symbol.asyncDispose]());

const withServer = test.extend<{ server: Postgres }>({
  server: async ({ skip }, use) => {
    if (postgres === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
    return use(postgres);
  },
});

/** A home whose secrets `names` are logins of roles of the same names, rotated every 30 days. */
async function worldOf(server: Postgres, names: readonly string[], more: (name: string) => object = () => ({})) {
  const world = testContext();
  onTestFinished(() => world[Symbol.dispose]());
  const { context } = world;
  const store = await openStore(context, "local");
  const put = async (path: string, username: string, password: string) =>
    store.put?.(path, loginOf(username, password), { ifVersion: 0 });
  await put("db/admin", "postgres", SUPERUSER);
  await query(server, names.map((name) => `CREATE ROLE ${name} LOGIN PASSWORD 'old-canary-${name}'`).join(";"));
  await Promise.all(names.map((name) => put(`db/${name}`, name, `old-canary-${name}`)));
  const settings = { target: "postgresql", host: "127.0.0.1", port: server.port, database: "postgres" };
  const rules = names.map((name) => [
    `mcp-secret://local/db/${name}`,
    { ...settings, role: name, admin: "mcp-secret://local/db/admin", maxAge: "30d", ...more(name) },
  ]);
  mkdirSync(context.home, { recursive: true });
  writeFileSync(join(context.home, "config.jsonc"), JSON.stringify({ rotation: Object.fromEntries(rules) }));
  return { ...world, store };
}

function loginOf(username: string, password: string) {
  return { username: new Secret(username), password: new Secret(password) };
}

function later(context: Context, time: number): Context {
  // Locks are made by the real clock.
  const lockHolder: Context["lockHolder"] = (path) => {
    const holder = context.lockHolder(path);
    return holder === undefined ? undefined : { ...holder, since: holder.since + time };
  };
  return { ...context, lockHolder, now: () => context.now() + time };
}

async function passwordOf(context: Context, name: string): Promise<string> {
  const store = await openStore(context, "local");
  const found = await store.read?.(`db/${name}`, { deadline: context.now() + 5000 });
  return found?.fields["password"]?.expose() ?? "";
}

/** The login of `name` was in a plaintext config; what `--exposed` does for it, and what doctor says then. */
async function leaked(server: Postgres, name: string) {
  const world = await worldOf(server, [name], () => ({ role: undefined, roles: [name, `${name}_b`], grace: "1s" }));
  const { context, taken } = world;
  const ref = parseRef(`mcp-secret://local/db/${name}#password`);
  await markExposed(context, [{ ref, version: 1, places: [] }], context.now());
  const red = async () => {
    const exit = await runDoctor(context, { json: true });
    return exit === 1 && taken().out.includes("in plaintext once, not rotated since");
  };
  const worksStill = () => logsIn(server, { user: name, password: `old-canary-${name}` });
  return { ...world, red, worksStill };
}

withServer("what was in plaintext is ended with its turn, whatever the settings say", async ({ server }) => {
  const { context, taken, red, worksStill } = await leaked(server, "leak");
  expect(await red()).toBe(true);
  expect(await runRotate(context, [], { exposed: true })).toBe(0);
  expect(taken().out).toMatch(/leak +rotated/);
  expect(await worksStill()).toBe(false);
  expect(await red()).toBe(false);
});

withServer("where nobody can end it, it stays exposed until its role has another password", async ({ server }) => {
  const { context, taken, red } = await leaked(server, "kept");
  const file = join(context.home, "config.jsonc");
  // So that both roles have a password that is known, as two that change their own need it.
  await clearMarks(context, parseRef("mcp-secret://local/db/kept"));
  for (const _turn of [1, 2]) await runRotate(context, ["mcp-secret://local/db/kept"], {});
  writeFileSync(file, readFileSync(file, "utf8").replace(/"admin":"[^"]*",/, ""));
  const ref = parseRef("mcp-secret://local/db/kept#password");
  await markExposed(context, [{ ref, version: 3, places: [] }], context.now());
  const password = await passwordOf(context, "kept");
  const worksStill = () => logsIn(server, { user: "kept", password });
  expect(await runRotate(context, [], { exposed: true })).toBe(1);
  expect(taken().out).toContain("its user kept it: once more, mcp-secrets rotate mcp-secret://local/db/kept");
  expect([await worksStill(), await red()]).toEqual([true, true]);
  await runRotate(context, [], { exposed: true });
  expect([await worksStill(), await red()]).toEqual([false, false]);
});

withServer(
  "one secret: the new value logs in and the old one does not, and nothing of either is told",
  async ({ server }) => {
    const { context, taken } = await worldOf(server, ["one"]);
    expect(await runRotate(context, ["mcp-secret://local/db/one"], {})).toBe(0);
    const { out, err } = taken();
    expect(out).toMatch(/mcp-secret:\/\/local\/db\/one +rotated +version 2/);
    const password = await passwordOf(context, "one");
    expect(await logsIn(server, { user: "one", password })).toBe(true);
    expect(await logsIn(server, { user: "one", password: "old-canary-one" })).toBe(false);
    for (const secret of [password, "old-canary-one", SUPERUSER]) expect(out + err).not.toContain(secret);

    await runRotateStatus(context, { json: true });
    expect(published("rotate-status", taken().out)).toMatchObject({
      secrets: [
        { reference: "mcp-secret://local/db/one", state: "ok", version: 2, last: { result: "rotated", version: 2 } },
      ],
    });
  },
);

withServer("cron: silent until it is due, once a slot, and silent again", async ({ server }) => {
  const { context, taken } = await worldOf(server, ["due"]);
  expect(await runRotate(context, [], { due: true, json: true })).toBe(0);
  expect(taken()).toEqual({ out: "", err: "" });

  const month = later(context, 31 * DAY);
  expect(await runRotate(month, [], { due: true, dryRun: true, json: true })).toBe(0);
  expect(published("rotate", taken().out)).toMatchObject({ outcome: "planned", slot: expect.any(String) });
  expect(await runRotate(month, [], { due: true, json: true })).toBe(0);
  const { out, err } = taken();
  expect(err).toBe("");
  expect(out.trimEnd().split("\n")).toHaveLength(1);
  expect(published("rotate", out)).toMatchObject({ outcome: "rotated", version: 2, exit: 0, restart: [] });

  expect(await runRotate(month, [], { due: true })).toBe(0);
  expect(taken()).toEqual({ out: "", err: "" });
  // An hour back, as a clock that was wrong may go: nothing again.
  expect(await runRotate(later(month, -3_600_000), [], { due: true })).toBe(0);
  expect(taken()).toEqual({ out: "", err: "" });
});

withServer("two at once on one machine: one works, the other ends with 0 and says nothing", async ({ server }) => {
  const { context, taken } = await worldOf(server, ["same"]);
  const month = later(context, 31 * DAY);
  const exits = await Promise.all([1, 2, 3].map(() => runRotate(month, [], { due: true, json: true })));
  expect(exits).toEqual([0, 0, 0]);
  const { out, err } = taken();
  expect(out.trimEnd().split("\n")).toHaveLength(1);
  expect(err).toBe("");
  expect(await logsIn(server, { user: "same", password: await passwordOf(context, "same") })).toBe(true);
});

withServer("what runs with the old value is named, and drains", async ({ server }) => {
  const { context, taken } = await worldOf(server, ["run_a"], () => ({ role: undefined, roles: ["run_a", "run_b"] }));
  const launch = {
    v: 1,
    pid: process.pid,
    started: context.startOf(process.pid) ?? "",
    since: new Date().toISOString(),
  } as const;
  const refs = [{ ref: "mcp-secret://local/db/run_a#password", version: 1 }];
  recordLaunch(context, { ...launch, id: "l1", entry: "custom/db", refs });
  recordLaunch(context, {
    ...launch,
    id: "l2",
    entry: "custom/other",
    refs: [{ ref: "mcp-secret://local/db/x", version: 1 }],
  });

  expect(await runRotate(context, ["mcp-secret://local/db/run_a"], { json: true })).toBe(0);
  expect(published("rotate", taken().out)).toMatchObject({
    outcome: "draining",
    holders: ["custom/db"],
    restart: ["custom/db"],
  });
  expect(await logsIn(server, { user: "run_a", password: "old-canary-run_a" })).toBe(true);
  await runPs(context, { json: true });
  const { launches } = JSON.parse(taken().out);
  expect(launches.map(({ refs: [held] }: { refs: [object] }) => held)).toMatchObject([
    { version: 1, current: 2 },
    { version: 1 },
  ]);
  await runRotateStatus(context, {});
  expect(taken()).toMatchObject({
    out: expect.stringMatching(/draining.*rotated \d+ s ago/),
    err: expect.stringContaining("restart custom/db"),
  });

  expect(taken().out).toBe("");
  // Nothing has changed: cron has nothing to mail.
  for (const json of [true, false]) expect(await runRotate(context, [], { due: true, json })).toBe(0);
  expect(taken()).toEqual({ out: "", err: "" });

  // It was restarted: the next turn of cron retires the old value.
  recordLaunch(context, {
    ...launch,
    id: "l1",
    entry: "custom/db",
    refs: [{ ...refs[0], ref: "mcp-secret://local/db/run_a", version: 2 }],
  });
  expect(await runRotate(context, [], { due: true, json: true })).toBe(0);
  expect(published("rotate", taken().out)).toMatchObject({ outcome: "rotated", version: 2 });
});

withServer("where the settings leave it to cron, what a launch has started does nothing", async ({ server }) => {
  const { context, taken } = await worldOf(server, ["cron_only"]);
  const path = join(context.home, "config.jsonc");
  const { rotation } = JSON.parse(readFileSync(path, "utf8"));
  writeFileSync(path, JSON.stringify({ rotation: { trigger: "cron", ...rotation } }));
  const month = later(context, 31 * DAY);
  expect(await runRotate({ ...month, env: { ...month.env, MCPS_BY_LAUNCH: "1" } }, [], { due: true, json: true })).toBe(
    0,
  );
  expect(taken()).toEqual({ out: "", err: "" });
  expect(readFileSync(join(context.home, "rotation", "due"), "utf8")).toMatch(/ never \d+$/);
  expect(await runRotate(month, [], { due: true, json: true })).toBe(0);
  expect(taken().out).toContain('"outcome":"rotated"');
});

withServer("what nobody can tell is stuck with 70, and ends when a person has mended it", async ({ server }) => {
  const { context, taken, store } = await worldOf(server, ["lost"]);
  const ref = "mcp-secret://local/db/lost";
  await query(server, "ALTER ROLE lost PASSWORD 'somebody-else'");
  const rule = { target: "postgresql", host: "127.0.0.1", port: server.port, database: "postgres", role: "lost" };
  writeFileSync(join(context.home, "config.jsonc"), JSON.stringify({ rotation: { [ref]: { ...rule, maxAge: "1d" } } }));
  const exit = await runRotate(context, [ref], { json: true });
  const told = published("rotate", taken().out);
  expect([exit, told]).toMatchObject([70, { outcome: "stuck", check: expect.any(String) }]);
  expect(await passwordOf(context, "lost")).toBe("old-canary-lost");
  expect(await runRotate(later(context, 9 * DAY), [], { due: true, json: true })).toBe(70);
  expect(await runRotate(context, [ref], { settle: true })).toBe(70);

  await query(server, "ALTER ROLE lost PASSWORD 'mended'");
  await store.put?.("db/lost", { username: new Secret("lost"), password: new Secret("mended") }, { ifVersion: 1 });
  taken();
  expect(await runRotate(context, [ref], { settle: true })).toBe(0);
  expect(await runRotate(context, [ref], { json: true })).toBe(0);
  expect(taken().out).toContain('"outcome":"rotated"');
  expect(await logsIn(server, { user: "lost", password: await passwordOf(context, "lost") })).toBe(true);
});

withServer(
  "a hundred in one run: a few at a time, and those that fail stop no others",
  { timeout: 300_000 },
  async ({ server }) => {
    const names = Array.from({ length: 100 }, (_, number) => `many_${number}`);
    const trouble: Record<string, object> = {
      many_50: { port: 1 },
      many_10: { admin: "mcp-secret://local/db/nobody" },
    };
    const world = await worldOf(server, names, (name) => trouble[name] ?? {});
    const context: Context = { ...world.context, terminal: { ...world.context.terminal, errIsTty: true } };

    const peak = watchConnections(server);
    const exit = await runRotate(
      context,
      names.map((name) => `mcp-secret://local/db/${name}`),
      {},
    );
    expect(await peak()).toBeLessThanOrEqual(8);
    const { out, err } = world.taken();
    expect(exit).toBe(1);
    const lines = out.split("\n");
    expect(lines.filter((line) => /\brotated +version 2$/.test(line))).toHaveLength(98);
    expect(lines.find((line) => line.includes("/many_50 "))).toMatch(/not now/);
    expect(lines.find((line) => line.includes("/many_10 "))).toMatch(/no secret mcp-secret:\/\/local\/db\/nobody/);
    expect(err).toContain("\rrotated 98 of 100, 2 not\n");
    for (const name of ["many_0", "many_49", "many_99"]) {
      expect(await logsIn(server, { user: name, password: await passwordOf(context, name) })).toBe(true);
    }
  },
);

/** The most connections of others that were seen at one time. */
function watchConnections(server: Postgres): () => Promise<number> {
  let most = 0;
  let going = true;
  const watching = (async () => {
    while (going) {
      const [row] = await query(
        server,
        "select count(*) as n from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'",
      );
      most = Math.max(most, Number(row?.["n"]));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return async () => {
    going = false;
    await watching;
    return most;
  };
}
