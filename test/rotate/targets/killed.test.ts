import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { openStore } from "../../../src/stores.ts";
import { LONG, mcpSecrets } from "../../helpers/cli.ts";
import { testContext } from "../../helpers/context.ts";
import * as sql from "../../servers/mariadb-client.ts";
import { startMariaDb } from "../../servers/mariadb.ts";
import * as acl from "../../servers/redis-client.ts";
import { startRedis } from "../../servers/redis.ts";

/**
 * Rotations of the built program on real servers, killed on their way: what the store has always logs in, and the same
 * command again ends with one current value.
 */

const KILL_AT = resolve(import.meta.dirname, "../../helpers/kill-at.cjs");
const SECRET = "mcp-secret://local/db/app";
const ADMIN = "root-canary-password";
/** In which parts of the way. */
const MOMENTS = LONG ? Array.from({ length: 30 }, (_, index) => (index + 1) / 31) : [0.35, 0.6, 0.85];

interface Login {
  readonly user: string;
  readonly password: string;
}

interface World extends Disposable {
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  stored(): Promise<Login>;
}

async function worldOf(first: Login, admin: Login, rule: object): Promise<World> {
  const { context, folder, [Symbol.dispose]: dispose } = testContext();
  const store = await openStore(context, "local");
  for (const [path, { user, password }] of Object.entries({ "db/app": first, "db/admin": admin })) {
    await store.put?.(path, { username: new Secret(user), password: new Secret(password) }, { ifVersion: 0 });
  }
  const rotation = { [SECRET]: { ...rule, host: "127.0.0.1", admin: "mcp-secret://local/db/admin" } };
  mkdirSync(context.home, { recursive: true });
  writeFileSync(join(context.home, "config.jsonc"), JSON.stringify({ rotation }));
  const stored = async () => {
    const found = await store.read?.("db/app", { deadline: context.now() + 10_000 });
    const { username, password } = found?.fields ?? {};
    return { user: username?.expose() ?? "", password: password?.expose() ?? "" };
  };
  const env = { HOME: folder, PATH: process.env["PATH"] ?? "" };
  return { env, folder, stored, [Symbol.dispose]: dispose };
}

/** Kills a rotation at each of the moments, and ends it with the same command. Gives every value that there was. */
async function rotations({ env, folder, stored }: World, logsIn: (login: Login) => Promise<boolean>): Promise<Login[]> {
  const seen = [await stored()];
  const count = join(folder, "count");
  const rotate = (more: Record<string, string> = {}) =>
    mcpSecrets(["rotate", SECRET, "--json"], { cwd: folder, env: { ...env, ...more }, nodeArgs: ["-r", KILL_AT] });
  expect(await rotate({ KILL_COUNT: count })).toMatchObject({ code: 0 });
  const operations = Number(readFileSync(count, "utf8"));
  seen.push(await stored());
  for (const moment of MOMENTS) {
    const killed = await rotate({ KILL_AT: String(Math.round(operations * moment)) });
    expect(killed.signal, `${moment} of ${operations}`).toBe("SIGKILL");
    expect(await logsIn(await stored()), `${moment} of ${operations}`).toBe(true);
    const ended = await rotate();
    expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('"outcome":"rotated"') });
    seen.push(await stored());
    expect(await logsIn(await stored())).toBe(true);
  }
  return seen;
}

test("MariaDB: two users take turns, whatever is killed", async ({ skip }) => {
  await using server = await startMariaDb(ADMIN);
  if (server === undefined) return skip("SKIPPED: no MariaDB here, and its Debian packages cannot be unpacked");
  await sql.query(server, "CREATE USER app_a IDENTIFIED BY 'first-canary'");
  await sql.query(server, "GRANT SELECT ON app.* TO app_a");
  const rule = { target: "mysql", port: server.port, database: "app", users: ["app_a", "app_b"] };
  using world = await worldOf({ user: "app_a", password: "first-canary" }, { user: "root", password: ADMIN }, rule);
  const seen = await rotations(world, (login) => sql.logsIn(server, login));
  const distinct = [...new Map(seen.map((login) => [login.password, login])).values()];
  const valid = [];
  for (const login of distinct) if (await sql.logsIn(server, login)) valid.push(login.user);
  expect(valid.toSorted()).toEqual(["app_a", "app_b"]);
  const log = server.log();
  expect(distinct.slice(1).filter(({ password }) => log.includes(password))).toEqual([]);
});

test("Redis: one password is left, whatever is killed", async ({ skip }) => {
  await using server = await startRedis("redis", ADMIN);
  if (server === undefined) return skip("SKIPPED: no Redis here, and its Python package cannot be installed");
  await acl.command(server, ["ACL", "SETUSER", "app", "on", ">first-canary", "~*", "+get", "+ping"]);
  const rule = { target: "redis", port: server.port };
  using world = await worldOf({ user: "app", password: "first-canary" }, { user: "default", password: ADMIN }, rule);
  await rotations(world, ({ user, password }) => acl.logsIn(server, { username: user, password }));
  const answer = await acl.command(server, ["ACL", "GETUSER", "app"]);
  expect(Array.isArray(answer) && answer[answer.indexOf("passwords") + 1]).toHaveLength(1);
  await server.restart();
  const { user, password } = await world.stored();
  expect(await acl.logsIn(server, { username: user, password })).toBe(true);
});
