import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { open } from "../../../src/rotate/targets/postgresql.ts";
import { selfSigned } from "../../servers/certificate.ts";
import { logsIn, query } from "../../servers/postgres-client.ts";
import { type Postgres, startPostgres } from "../../servers/postgres.ts";
import { exposed, fieldsOf, optionsOf, requestOf } from "./request.ts";

const SUPERUSER = `it's "p@ss#w%rd/1`;
let postgres: Postgres;
let missing = false;

beforeAll(async () => {
  const started = await startPostgres(SUPERUSER, { settings: ["log_statement=all", "log_connections=on"] });
  if (started === undefined) missing = true;
  else postgres = started;
});
afterAll(async () => postgres?.[Symbol.asyncDispose]());

const withServer = test.extend<{ server: Postgres }>({
  server: async ({ skip }, use) => {
    if (missing) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
    return use(postgres);
  },
});

const ADMIN = { "db/admin": { username: "postgres", password: SUPERUSER } };

function settingsOf(more: object = {}, server = postgres) {
  return { host: "127.0.0.1", port: server.port, database: "postgres", admin: "mcp-secret://local/db/admin", ...more };
}

function targetOf(more: object = {}, admin: Record<string, Record<string, string>> = ADMIN) {
  return open(optionsOf(settingsOf(more), admin));
}

/** A role that logs in, with a table of its own. */
async function madeRole(name: string, password = "old-password"): Promise<void> {
  const quoted = `"${name.replaceAll('"', '""')}"`;
  await query(postgres, `CREATE ROLE ${quoted} LOGIN PASSWORD '${password.replaceAll("'", "''")}'`);
}

const loginOf = (fields: ReturnType<typeof fieldsOf>) => {
  const { username = "", password = "" } = exposed(fields);
  return { user: username, password };
};

describe("two roles that take turns", () => {
  withServer("a whole life: the other role is made, both are valid, and the turn comes back", async ({ server }) => {
    await madeRole("life_a");
    await query(
      server,
      `CREATE SCHEMA life AUTHORIZATION life_a; CREATE TABLE life.t (n int); ALTER TABLE life.t OWNER TO life_a`,
    );
    const target = targetOf({ roles: ["life_a", "life_b"] });
    expect(target.class).toBe("O");
    const first = fieldsOf({ username: "life_a", password: "old-password", note: "stays" });

    const second = target.propose(requestOf(first));
    expect(exposed(second)).toMatchObject({ username: "life_b", note: "stays" });
    expect(await target.test(second, requestOf(first))).toEqual({ type: "rejected" });
    await target.set(second, requestOf(first));
    await target.set(second, requestOf(first));
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    expect(await target.test(first, requestOf(first))).toEqual({ type: "valid" });
    await target.retire(first, requestOf(second, { previous: first }));
    expect(await logsIn(server, loginOf(first))).toBe(true);

    // What the new one makes belongs to the same owner as before.
    await query(server, "CREATE TABLE life.made (n int); DROP TABLE life.t", loginOf(second));
    const [made] = await query(server, "select tableowner from pg_tables where tablename = 'made'");
    expect(made).toEqual({ tableowner: "life_a" });

    const third = target.propose(requestOf(second));
    expect(exposed(third)["username"]).toBe("life_a");
    await target.set(third, requestOf(second, { previous: first }));
    expect(await target.test(third, requestOf(second))).toEqual({ type: "valid" });
    expect(await logsIn(server, loginOf(first))).toBe(false);
    expect(await logsIn(server, loginOf(second))).toBe(true);
  });

  withServer("a superuser's password: only a superuser may, and that is what the hint says", async ({ server }) => {
    for (const role of ["maker", "boss", "streamer"]) await madeRole(role);
    await query(server, "ALTER ROLE maker CREATEROLE; ALTER ROLE boss SUPERUSER; ALTER ROLE streamer REPLICATION");
    await query(server, "GRANT streamer TO maker WITH ADMIN OPTION");
    const [{ version } = {}] = await query(server, "select current_setting('server_version_num')::int as version");
    const admin = { "db/admin": { username: "maker", password: "old-password" } };
    for (const role of ["boss", ...(Number(version) < 160_000 ? ["streamer"] : [])]) {
      const first = fieldsOf({ username: role, password: "old-password" });
      const target = targetOf({ role }, admin);
      await expect(target.set(target.propose(requestOf(first)), requestOf(first))).rejects.toMatchObject({
        code: "target-refused",
        message: expect.stringContaining("only a superuser changes"),
        hint: expect.stringMatching(/superuser's secret as admin/),
      });
      expect(await logsIn(server, loginOf(first))).toBe(true);
    }
    // A superuser changes its own.
    const own = fieldsOf({ username: "boss", password: "old-password" });
    const alone = targetOf({ role: "boss", admin: undefined });
    const next = alone.propose(requestOf(own));
    await alone.set(next, requestOf(own));
    expect(await alone.test(next, requestOf(own))).toEqual({ type: "valid" });
  });

  withServer("an administrator that may do no more than it must, and an owner that both act as", async ({ server }) => {
    await madeRole("rotator");
    await madeRole("group_a");
    await query(
      server,
      `CREATE ROLE group_owner NOLOGIN; GRANT group_owner TO group_a; ALTER ROLE group_a SET role TO group_owner;
       ALTER ROLE rotator CREATEROLE; GRANT group_a TO rotator WITH ADMIN OPTION`,
    );
    const admin = { "db/admin": { username: "rotator", password: "old-password" } };
    const target = targetOf({ roles: ["group_a", "group_b"] }, admin);
    let current = fieldsOf({ username: "group_a", password: "old-password" });
    for (let turn = 0; turn < 3; turn++) {
      const next = target.propose(requestOf(current));
      await target.set(next, requestOf(current));
      expect(await target.test(next, requestOf(current))).toEqual({ type: "valid" });
      const [acts] = await query(server, "select current_user as role", loginOf(next));
      expect(acts).toEqual({ role: "group_owner" });
      current = next;
    }
  });

  withServer(
    "retire now: the old role has no password any more, and only the value that was retired",
    async ({ server }) => {
      await madeRole("now_a");
      const target = targetOf({ roles: ["now_a", "now_b"], retire: "now" });
      const first = fieldsOf({ username: "now_a", password: "old-password" });
      const second = target.propose(requestOf(first));
      await target.set(second, requestOf(first));
      await target.retire(first, requestOf(second));
      await target.retire(first, requestOf(second));
      expect(await logsIn(server, loginOf(first))).toBe(false);
      expect(await logsIn(server, loginOf(second))).toBe(true);

      const third = target.propose(requestOf(second));
      await target.set(third, requestOf(second));
      await target.retire(first, requestOf(second));
      expect(await logsIn(server, loginOf(third))).toBe(true);
    },
  );

  withServer("without an administrator the role whose turn it is changes its own password", async ({ server }) => {
    for (const role of ["self_a", "self_b"]) await madeRole(role, role);
    await query(server, "CREATE ROLE self NOLOGIN; GRANT self TO self_a, self_b; ALTER ROLE self_b SET role TO self");
    const target = targetOf({ admin: undefined, roles: ["self_a", "self_b"] });
    const current = fieldsOf({ username: "self_a", password: "self_a" });
    const previous = fieldsOf({ username: "self_b", password: "self_b" });
    const next = target.propose(requestOf(current));
    await target.set(next, requestOf(current, { previous }));
    await target.set(next, requestOf(current, { previous }));
    expect(await logsIn(server, loginOf(next))).toBe(true);
    expect(await logsIn(server, loginOf(previous))).toBe(false);

    const without = target.set(fieldsOf({ username: "self_b", password: "other" }), requestOf(current));
    await expect(without).rejects.toMatchObject({
      code: "target-refused",
      message: expect.not.stringContaining("other"),
    });
  });

  withServer("a URL and fields beside it change together, and stay as they are otherwise", async () => {
    await madeRole('u "r@l/é');
    const target = targetOf({ roles: ['u "r@l/é', "url_b"] });
    const url = "postgres://u%20%22r%40l%2F%C3%A9:old-password@h1:1,h2/db?sslmode=require#x@y";
    const first = fieldsOf({ value: url, user: 'u "r@l/é', password: "old-password" });
    const second = target.propose(requestOf(first));
    const { value, user, password } = exposed(second);
    expect(user).toBe("url_b");
    expect(value).toBe(`postgres://url_b:${password}@h1:1,h2/db?sslmode=require#x@y`);
    await target.set(second, requestOf(first));
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    const third = target.propose(requestOf(second));
    expect(exposed(third)["value"]).toContain("//u%20%22r%40l%2F%C3%A9:");
    await target.set(third, requestOf(second));
    expect(await target.test(third, requestOf(second))).toEqual({ type: "valid" });
  });
});

describe("one role", () => {
  withServer("the new password ends the old one, and the old one can be put back", async ({ server }) => {
    await madeRole("one");
    const target = targetOf({ role: "one" });
    expect(target.class).toBe("X");
    const first = fieldsOf({ value: "old-password" });
    const second = target.propose(requestOf(first));
    await target.set(second, requestOf(first));
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    expect(await target.test(first, requestOf(first))).toEqual({ type: "rejected" });
    await target.set(first, requestOf(first));
    expect(await logsIn(server, { user: "one", password: "old-password" })).toBe(true);
  });

  withServer("it changes its own password, and a repeated call finds that it has", async ({ server }) => {
    await madeRole("own");
    const target = targetOf({ admin: undefined });
    const first = fieldsOf({ username: "own", password: "old-password" });
    const second = target.propose(requestOf(first));
    await target.set(second, requestOf(first));
    await target.set(second, requestOf(first));
    expect(await logsIn(server, loginOf(second))).toBe(true);
    const third = fieldsOf({ username: "own", password: "third" });
    await expect(target.set(third, requestOf(first))).rejects.toMatchObject({ code: "target-refused" });
  });

  withServer.for(["é ſ ﬁ\u00a0x", "'; DROP ROLE x; --", "$1 \\ %s @:/?#[]", "😀 p"])(
    "a role and a password as %s",
    async (text, { server }) => {
      await madeRole(text, "old-password");
      const target = targetOf({ role: text });
      const put = fieldsOf({ password: text });
      await target.set(put, requestOf(fieldsOf({ password: "old-password" })));
      expect(await target.test(put, requestOf(put))).toEqual({ type: "valid" });
      expect(await logsIn(server, { user: text, password: "old-password" })).toBe(false);
    },
  );
});

describe("what the server says", () => {
  withServer("lacking names what the new role may not do", async ({ server }) => {
    await madeRole("rich");
    await madeRole("poor");
    await query(
      server,
      `CREATE SCHEMA shop; CREATE TABLE shop."the orders" (a int, b int); CREATE SEQUENCE shop.numbers; CREATE ROLE staff;
       CREATE FUNCTION shop.f() RETURNS int LANGUAGE sql AS 'select 1'; REVOKE ALL ON FUNCTION shop.f() FROM PUBLIC;
       GRANT USAGE ON SCHEMA shop TO rich; GRANT SELECT, INSERT ON shop."the orders" TO rich; GRANT staff TO rich;
       GRANT UPDATE (b) ON shop."the orders" TO rich; GRANT USAGE ON shop.numbers TO rich;
       GRANT EXECUTE ON FUNCTION shop.f() TO rich; ALTER ROLE rich CREATEDB; ALTER ROLE rich SET search_path TO shop`,
    );
    const target = targetOf({ roles: ["rich", "poor"] });
    const rich = fieldsOf({ username: "rich", password: "old-password" });
    const poor = fieldsOf({ username: "poor", password: "old-password" });
    expect(await target.test(poor, requestOf(rich))).toEqual({
      type: "lacking",
      missing: [
        "setting search_path",
        "CREATEDB",
        "membership in staff",
        "EXECUTE on function shop.f()",
        'INSERT on shop."the orders"',
        'SELECT on shop."the orders"',
        'UPDATE on column shop."the orders".b',
        "USAGE on schema shop",
        "USAGE on sequence shop.numbers",
      ],
    });
    expect(await target.test(rich, requestOf(poor))).toEqual({ type: "valid" });

    await query(server, "CREATE TABLE owned (n int); ALTER TABLE owned OWNER TO poor; ALTER ROLE rich SUPERUSER");
    expect(await target.test(rich, requestOf(poor))).toEqual({ type: "valid" });
    expect(await target.test(poor, requestOf(rich))).toEqual({ type: "lacking", missing: ["superuser"] });
    await query(server, "ALTER ROLE rich NOSUPERUSER");
    expect(await target.test(rich, requestOf(poor))).toMatchObject({
      missing: expect.arrayContaining(["ownership of objects"]),
    });
  });

  withServer("roles that act as one owner have the same rights", async ({ server }) => {
    await query(
      server,
      "CREATE ROLE owner_of_all NOLOGIN CREATEDB; CREATE TABLE theirs (n int); ALTER TABLE theirs OWNER TO owner_of_all",
    );
    for (const role of ["acts_a", "acts_b"]) {
      await madeRole(role);
      await query(server, `GRANT owner_of_all TO ${role}; ALTER ROLE ${role} SET role TO owner_of_all`);
    }
    const target = targetOf({ roles: ["acts_a", "acts_b"] });
    const [a, b] = ["acts_a", "acts_b"].map((username) => fieldsOf({ username, password: "old-password" }));
    expect(await target.test(b!, requestOf(a!))).toEqual({ type: "valid" });
    await query(server, "ALTER ROLE acts_b RESET role");
    expect(await target.test(b!, requestOf(a!))).toEqual({ type: "lacking", missing: ["CREATEDB"] });
  });

  withServer("no right to connect is lacking, NOLOGIN and an end of validity are rejections", async ({ server }) => {
    await madeRole("door");
    await query(server, "CREATE DATABASE closed");
    await query(server, "REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
    const fields = fieldsOf({ username: "door", password: "old-password" });
    expect(await targetOf({ database: "closed" }).test(fields, requestOf(fields))).toEqual({
      type: "lacking",
      missing: ["CONNECT on database closed"],
    });
    await query(server, "ALTER ROLE door NOLOGIN");
    expect(await targetOf().test(fields, requestOf(fields))).toEqual({ type: "rejected" });
    await query(server, "ALTER ROLE door LOGIN VALID UNTIL '2020-01-01'");
    expect(await targetOf().test(fields, requestOf(fields))).toEqual({ type: "rejected" });
  });

  withServer("an administrator that is wrong, or may not, is a refusal, and nothing changes", async ({ server }) => {
    await madeRole("kept");
    await madeRole("weak");
    const first = fieldsOf({ username: "kept", password: "old-password" });
    for (const [username, password, hint] of [
      ["postgres", "wrong", "that admin names"],
      ["weak", "old-password", 'GRANT "kept" TO'],
    ] as const) {
      const target = targetOf({}, { "db/admin": { username, password } });
      await expect(target.set(target.propose(requestOf(first)), requestOf(first))).rejects.toMatchObject({
        code: "target-refused",
        hint: expect.stringContaining(hint),
      });
    }
    expect(await logsIn(server, loginOf(first))).toBe(true);
  });

  withServer("full, without that database, closed to this machine: unreachable", async ({ server }) => {
    await madeRole("full");
    const fields = fieldsOf({ username: "full", password: "old-password" });
    const unreachable = (reason: string) => ({ type: "unreachable", reason: expect.stringContaining(reason) });
    expect(await targetOf({ database: "nowhere" }).test(fields, requestOf(fields))).toMatchObject(
      unreachable("nowhere"),
    );
    await query(server, "ALTER ROLE full CONNECTION LIMIT 0");
    expect(await targetOf().test(fields, requestOf(fields))).toMatchObject(unreachable("too many"));

    const rule = async (user: string) => {
      const [file] = await query(server, "select current_setting('hba_file') as name");
      await query(server, `COPY (select 'host all ${user} 127.0.0.1/32 scram-sha-256') TO '${String(file!["name"])}'`);
      await query(server, "select pg_reload_conf()");
    };
    await rule("postgres");
    try {
      const tested = () => targetOf().test(fields, requestOf(fields));
      await expect.poll(tested).toMatchObject(unreachable("pg_hba.conf"));
    } finally {
      await rule("all");
    }
  });
});

describe("no answer", () => {
  const fields = fieldsOf({ username: "a", password: "b" });

  test("a port where nobody listens, a name that nobody has: unreachable", async () => {
    for (const place of [
      { host: "127.0.0.1", port: 1 },
      { host: "nowhere.invalid", tls: "disable" },
    ]) {
      const target = open(optionsOf({ database: "x", ...place }));
      expect(await target.test(fields, requestOf(fields))).toMatchObject({ type: "unreachable" });
      await expect(target.set(fields, requestOf(fields))).rejects.toMatchObject({
        code: "target-unreachable",
        exit: 75,
      });
    }
  });

  test("a server that says nothing is given up in time, or when asked to", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as AddressInfo;
    const target = open(optionsOf({ host: "127.0.0.1", port, database: "x" }));
    const late = requestOf(fields, { deadline: Date.now() + 200 });
    expect(await target.test(fields, late)).toMatchObject({
      type: "unreachable",
      reason: expect.stringContaining("time"),
    });
    const over = requestOf(fields, { deadline: Date.now() - 1 });
    expect(await target.test(fields, over)).toMatchObject({ type: "unreachable" });
    const given = new AbortController();
    const asked = target.test(fields, requestOf(fields, { signal: given.signal }));
    given.abort();
    expect(await asked).toMatchObject({ type: "unreachable" });
  });

  test("a standby changes nothing: unreachable, so that it is tried again", async ({ skip }) => {
    await using standby = await startPostgres(SUPERUSER, { standby: true });
    if (standby === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
    const target = open(optionsOf(settingsOf({}, standby), ADMIN));
    const current = fieldsOf({ username: "postgres", password: SUPERUSER });
    expect(await target.test(current, requestOf(current))).toEqual({ type: "valid" });
    await expect(target.set(target.propose(requestOf(current)), requestOf(current))).rejects.toMatchObject({
      code: "target-unreachable",
      message: expect.stringContaining("read-only"),
    });
    expect(await logsIn(standby, standby)).toBe(true);
  });

  test("a certificate is checked, and who is not trusted is unreachable", async ({ skip }) => {
    const certificate = selfSigned("localhost", ["subjectAltName=DNS:localhost"]);
    await using server = await startPostgres(SUPERUSER, { tls: certificate });
    if (server === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
    const current = fieldsOf({ username: "postgres", password: SUPERUSER });
    const verdict = (more: object) => {
      const options = { ...optionsOf(settingsOf(more, server), ADMIN), readFile: () => Buffer.from(certificate.cert) };
      return open(options).test(current, requestOf(current));
    };
    expect(await verdict({ tls: "require" })).toEqual({ type: "valid" });
    expect(await verdict({ tls: "verify-full" })).toMatchObject({ type: "unreachable" });
    expect(await verdict({ tls: "verify-full", caFile: "/ca.pem" })).toMatchObject({ type: "unreachable" });
    expect(await verdict({ tls: "verify-full", caFile: "/ca.pem", host: "localhost" })).toEqual({ type: "valid" });
    expect(await verdict({ tls: "verify-ca", caFile: "/ca.pem" })).toEqual({ type: "valid" });
    const plain = { ...server, port: postgres.port };
    const options = optionsOf(settingsOf({ tls: "verify-full" }, plain), ADMIN);
    expect(await open(options).test(current, requestOf(current))).toMatchObject({ type: "unreachable" });
  });
});

withServer("log_statement=all: no password in the log, also when the statement fails", async ({ server }) => {
  await madeRole("logged_a", "kept-old-password");
  await madeRole("logged_weak", "weak-password");
  const first = fieldsOf({ username: "logged_a", password: "kept-old-password" });
  const before = server.log().length;
  const values: Secret[] = [];
  for (const more of [{ roles: ["logged_a", "logged_b"] }, { role: "logged_a" }]) {
    for (const admin of [ADMIN, { "db/admin": { username: "logged_weak", password: "weak-password" } }]) {
      const target = targetOf(more, admin);
      const next = target.propose(requestOf(first));
      values.push(next["password"]!);
      await target.set(next, requestOf(first)).catch(() => undefined);
      await target.test(next, requestOf(first));
      await target.set(first, requestOf(first)).catch(() => undefined);
    }
  }
  await query(server, "select 'the end'");
  await expect.poll(() => server.log()).toContain("the end");
  const log = server.log().slice(before);
  expect(log).toContain("ERROR:  permission denied");
  expect(log).toContain(`PASSWORD 'SCRAM-SHA-256$4096:`);
  for (const value of [
    ...values,
    ...Object.values(first).slice(1),
    new Secret("weak-password"),
    new Secret(SUPERUSER),
  ]) {
    expect(log.includes(value.expose())).toBe(false);
  }
});

test("settings are read strictly", () => {
  const settings = { host: "h", database: "d" };
  const wrong: readonly object[] = [
    { ...settings, host: undefined },
    { ...settings, database: undefined },
    { ...settings, rols: [] },
    { ...settings, roles: ["a"] },
    { ...settings, roles: ["a", "a"] },
    { ...settings, roles: ["a", "b"], role: "a" },
    { ...settings, role: "é".repeat(32) },
    { ...settings, role: "a\0" },
    { ...settings, port: 0 },
    { ...settings, tls: "prefer" },
    { ...settings, admin: "postgres" },
    { ...settings, caFile: "ca.pem" },
    { ...settings, retire: "now" },
  ];
  for (const value of wrong) expect(() => open(optionsOf(value)), JSON.stringify(value)).toThrow(/rotation/);
  const target = open(optionsOf({ ...settings, roles: ["a", "b"] }));
  expect(() => target.propose(requestOf(fieldsOf({ note: "x" })))).toThrow(/no password/);
  expect(() => target.propose(requestOf(fieldsOf({ password: "x" })))).toThrow(/without a user name/);
  expect(() => target.propose(requestOf(fieldsOf({ username: "c", password: "x" })))).toThrow(/do not name/);
});
