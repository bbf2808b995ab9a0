import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open } from "../../../src/rotate/targets/mysql.ts";
import { query, logsIn } from "../../servers/mariadb-client.ts";
import { type MariaDb, startMariaDb } from "../../servers/mariadb.ts";
import { selfSigned } from "../../servers/certificate.ts";
import { exposed, fieldsOf, optionsOf, requestOf } from "./request.ts";

const ROOT = `it's "p@ss\\#w%rd/1`;
const certificate = selfSigned("localhost", ["subjectAltName=DNS:localhost"]);
let mariadb: MariaDb | undefined;

beforeAll(async () => {
  mariadb = await startMariaDb(ROOT, { tls: certificate, settings: ["--plugin-load-add=auth_ed25519"] });
});
afterAll(async () => mariadb?.[Symbol.asyncDispose]());

const withServer = test.extend<{ server: MariaDb }>({
  server: async ({ skip }, use) => {
    if (mariadb === undefined) return skip("SKIPPED: no MariaDB here, and its Debian packages cannot be unpacked");
    return use(mariadb);
  },
});

const ADMIN = { "db/admin": { username: "root", password: ROOT } };

function settingsOf(more: object = {}) {
  return { host: "127.0.0.1", port: mariadb?.port, admin: "mcp-secret://local/db/admin", ...more };
}

function targetOf(more: object = {}, admin: Record<string, Record<string, string>> = ADMIN) {
  return open(optionsOf(settingsOf(more), admin));
}

async function madeUser(server: MariaDb, name: string, password = "old-password"): Promise<void> {
  await query(server, `CREATE USER \`${name.replaceAll("`", "``")}\`@\`%\` IDENTIFIED BY '${password}'`);
}

const loginOf = (fields: ReturnType<typeof fieldsOf>) => {
  const { username = "", password = "" } = exposed(fields);
  return { user: username, password };
};

describe("two users that take turns", () => {
  withServer("a whole life: the other user is made with the same grants, both are valid", async ({ server }) => {
    await madeUser(server, "life_a");
    await query(server, "CREATE TABLE app.life (x int, y int)");
    await query(server, "CREATE ROLE life_role");
    for (const grant of [
      "SELECT, INSERT ON app.* TO life_a",
      "SELECT (x), UPDATE (y, x) ON app.life TO life_a WITH GRANT OPTION",
      "life_role TO life_a",
    ]) {
      await query(server, `GRANT ${grant}`);
    }
    await query(server, "SET DEFAULT ROLE life_role FOR life_a");
    const target = targetOf({ users: ["life_a", "life_b"], database: "app" });
    expect(target.class).toBe("O");
    const first = fieldsOf({ username: "life_a", password: "old-password", url: "mysql://life_a:old-password@h/app" });

    const second = target.propose(requestOf(first));
    const { url, username, password } = exposed(second);
    expect(username).toBe("life_b");
    expect(url).toBe(`mysql://life_b:${password}@h/app`);
    expect(await target.test(second, requestOf(first))).toEqual({ type: "rejected" });
    await target.set(second, requestOf(first));
    await target.set(second, requestOf(first));
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    expect(await target.test(first, requestOf(first))).toEqual({ type: "valid" });
    await target.retire(first, requestOf(second, { previous: first }));
    expect(await logsIn(server, loginOf(first))).toBe(true);
    expect(await query(server, "select current_role() as role", loginOf(second))).toEqual([{ role: "life_role" }]);

    const third = target.propose(requestOf(second));
    await target.set(third, requestOf(second, { previous: first }));
    expect(await target.test(third, requestOf(second))).toEqual({ type: "valid" });
    expect(await logsIn(server, loginOf(first))).toBe(false);
    expect(await logsIn(server, loginOf(second))).toBe(true);
  });

  withServer("an administrator that may do no more than it must", async ({ server }) => {
    for (const user of ["least_a", "least_b", "rotator"]) await madeUser(server, user);
    await query(server, "GRANT CREATE USER ON *.* TO rotator");
    const admin = { "db/admin": { username: "rotator", password: "old-password" } };
    const target = targetOf({ users: ["least_a", "least_b"], retire: "now" }, admin);
    const first = fieldsOf({ username: "least_a", password: "old-password" });
    const second = target.propose(requestOf(first));
    await target.set(second, requestOf(first));
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    await target.retire(first, requestOf(second));
    expect(await logsIn(server, loginOf(first))).toBe(false);
  });

  withServer(
    "the second user is made with the rights that the documentation names, whole or not at all",
    async ({ server }) => {
      for (const user of ["pair_a", "maker"]) await madeUser(server, user);
      await query(server, "GRANT SELECT, INSERT ON app.* TO pair_a");
      await query(server, "GRANT CREATE USER ON *.* TO maker");
      await query(server, "GRANT SELECT ON mysql.* TO maker");
      await query(server, "GRANT SELECT ON app.* TO maker WITH GRANT OPTION");
      const admin = { "db/admin": { username: "maker", password: "old-password" } };
      const target = targetOf({ users: ["pair_a", "pair_b"], database: "app" }, admin);
      const first = fieldsOf({ username: "pair_a", password: "old-password" });
      const second = target.propose(requestOf(first));
      const there = () => query(server, "select user from mysql.user where user = 'pair_b'");
      await expect(target.set(second, requestOf(first))).rejects.toMatchObject({
        code: "target-refused",
        message: expect.stringMatching(
          /pair_b.* cannot be given the grants of .*pair_a.*GRANT SELECT, INSERT ON `app`/,
        ),
        hint: expect.stringContaining("WITH GRANT OPTION"),
      });
      expect(await target.test(second, requestOf(first))).toEqual({ type: "rejected" });
      expect(await there()).toEqual([]);
      await query(server, "GRANT INSERT ON app.* TO maker WITH GRANT OPTION");
      await target.set(second, requestOf(first));
      expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });

      // One that was made and not finished, as by a run that was killed, is finished.
      await query(server, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM pair_b");
      expect(await target.test(second, requestOf(first))).toMatchObject({ type: "lacking" });
      await query(server, "REVOKE INSERT ON app.* FROM maker");
      const third = target.propose(requestOf(first));
      await expect(target.set(third, requestOf(first))).rejects.toMatchObject({ code: "target-refused" });
      expect(await target.test(third, requestOf(first))).toEqual({ type: "rejected" });
      await query(server, "GRANT INSERT ON app.* TO maker WITH GRANT OPTION");
      await target.set(third, requestOf(first));
      expect(await target.test(third, requestOf(first))).toEqual({ type: "valid" });
    },
  );

  withServer("lacking names what the new user may not do", async ({ server }) => {
    for (const user of ["rich", "poor"]) await madeUser(server, user);
    await query(server, "CREATE ROLE staff");
    await query(server, "CREATE TABLE app.orders (a int, b int)");
    await query(server, "GRANT SELECT, INSERT ON app.orders TO rich WITH GRANT OPTION");
    await query(server, "GRANT UPDATE (a, b) ON app.orders TO rich");
    await query(server, "GRANT staff TO rich");
    await query(server, "GRANT SELECT ON *.* TO poor");
    const target = targetOf({ users: ["rich", "poor"] });
    const [rich, poor] = ["rich", "poor"].map((username) => fieldsOf({ username, password: "old-password" }));
    const verdict = await target.test(poor!, requestOf(rich!));
    expect(verdict.type).toBe("lacking");
    expect("missing" in verdict && verdict.missing.toSorted()).toEqual([
      "GRANT OPTION on `app`.`orders`",
      "GRANT `staff`",
      "INSERT on `app`.`orders`",
      "UPDATE (`a`) on `app`.`orders`",
      "UPDATE (`b`) on `app`.`orders`",
    ]);
    await query(server, "GRANT ALL ON *.* TO poor WITH GRANT OPTION");
    await query(server, "GRANT staff TO poor");
    expect(await target.test(poor!, requestOf(rich!))).toEqual({ type: "valid" });
    const closed = targetOf({ users: ["rich", "poor"], database: "mysql" });
    expect(await closed.test(rich!, requestOf(poor!))).toMatchObject({ type: "lacking", missing: [/database mysql/] });
  });

  withServer(
    "retire now: the old user's password is nobody's, and only where it was the one retired",
    async ({ server }) => {
      await madeUser(server, "now_a");
      const target = targetOf({ users: ["now_a", "now_b"], retire: "now" });
      const first = fieldsOf({ username: "now_a", password: "old-password" });
      const second = target.propose(requestOf(first));
      await target.set(second, requestOf(first));
      await target.retire(first, requestOf(second));
      await target.retire(first, requestOf(second));
      expect(await logsIn(server, loginOf(first))).toBe(false);
      const third = target.propose(requestOf(second));
      await target.set(third, requestOf(second));
      await target.retire(first, requestOf(second));
      expect(await logsIn(server, loginOf(third))).toBe(true);
    },
  );

  withServer("without an administrator the user whose turn it is changes its own password", async ({ server }) => {
    for (const user of ["self_a", "self_b"]) await madeUser(server, user, user);
    const target = targetOf({ admin: undefined, users: ["self_a", "self_b"] });
    const current = fieldsOf({ username: "self_a", password: "self_a" });
    const previous = fieldsOf({ username: "self_b", password: "self_b" });
    const next = target.propose(requestOf(current));
    await target.set(next, requestOf(current, { previous }));
    await target.set(next, requestOf(current, { previous }));
    expect(await logsIn(server, loginOf(next))).toBe(true);
    const without = target.set(fieldsOf({ username: "self_b", password: "other" }), requestOf(current));
    await expect(without).rejects.toMatchObject({ code: "target-refused" });
    await query(server, "GRANT CREATE USER ON *.* TO self_a");
    const third = fieldsOf({ username: "self_b", password: "third" });
    await target.set(third, requestOf(current));
    expect(await logsIn(server, loginOf(third))).toBe(true);
  });
});

describe("one user", () => {
  // Names are of the first 65536 characters of Unicode there.
  withServer.for(["é ſ ﬁ", "'; DROP USER x; --", "a`b\\", "$1 %s @:/?#[]", "😀 p"])(
    "a user and a password as %s, which ends the old one, and can be put back",
    async (text, { server }) => {
      const user = text.replace("😀", "smile");
      await madeUser(server, user);
      const target = targetOf({ user, single: true });
      expect(target.class).toBe("X");
      const first = fieldsOf({ value: "old-password" });
      const put = fieldsOf({ value: text });
      await target.set(put, requestOf(first));
      await target.set(put, requestOf(first));
      expect(await target.test(put, requestOf(first))).toEqual({ type: "valid" });
      expect(await target.test(first, requestOf(first))).toEqual({ type: "rejected" });
      await target.set(first, requestOf(first));
      await target.retire(put, requestOf(first));
      expect(await logsIn(server, { user, password: "old-password" })).toBe(true);
    },
  );

  withServer("MariaDB keeps no second password: refused before anything is changed", async ({ server }) => {
    await madeUser(server, "dual");
    const target = targetOf();
    const first = fieldsOf({ username: "dual", password: "old-password" });
    await expect(target.set(target.propose(requestOf(first)), requestOf(first))).rejects.toMatchObject({
      code: "target-refused",
      message: expect.stringContaining("MariaDB"),
    });
    expect(await logsIn(server, loginOf(first))).toBe(true);
  });

  withServer("who logs in by other means is not changed to another one", async ({ server }) => {
    await query(server, "CREATE USER modern IDENTIFIED VIA ed25519 USING PASSWORD('old-password')");
    const target = targetOf({ single: true });
    const first = fieldsOf({ username: "modern", password: "old-password" });
    await expect(target.set(target.propose(requestOf(first)), requestOf(first))).rejects.toMatchObject({
      code: "target-refused",
      message: expect.stringContaining("ed25519"),
    });
  });
});

describe("what the server says", () => {
  withServer("an administrator that is wrong, or may not, is a refusal", async ({ server }) => {
    await madeUser(server, "kept");
    await madeUser(server, "weak");
    const first = fieldsOf({ username: "kept", password: "old-password" });
    for (const [username, password, hint] of [
      ["root", "wrong", "that admin names"],
      ["weak", "old-password", "CREATE USER"],
    ] as const) {
      const target = targetOf({ single: true }, { "db/admin": { username, password } });
      const set = target.set(target.propose(requestOf(first)), requestOf(first));
      await expect(set).rejects.toMatchObject({ code: "target-refused", hint: expect.stringContaining(hint) });
    }
    const nobody = fieldsOf({ username: "nobody", password: "x" });
    await expect(targetOf({ single: true }).set(nobody, requestOf(nobody))).rejects.toMatchObject({
      code: "target-refused",
    });
    expect(await logsIn(server, loginOf(first))).toBe(true);
  });

  withServer("a locked account is rejected, an expired password is lacking", async ({ server }) => {
    await madeUser(server, "door");
    const fields = fieldsOf({ username: "door", password: "old-password" });
    const verdict = () => targetOf({ single: true }).test(fields, requestOf(fields));
    await query(server, "ALTER USER door ACCOUNT LOCK");
    expect(await verdict()).toEqual({ type: "rejected" });
    await query(server, "ALTER USER door ACCOUNT UNLOCK PASSWORD EXPIRE");
    expect(await verdict()).toMatchObject({ type: "lacking" });
  });

  withServer(
    "a server that only reads, one that is full, a database that is not there: unreachable",
    async ({ server }) => {
      await madeUser(server, "reader");
      const admin = { username: "changer", password: "changer" };
      await madeUser(server, admin.username, admin.password);
      await query(server, "GRANT CREATE USER ON *.* TO changer");
      const fields = fieldsOf({ username: "reader", password: "old-password" });
      const target = targetOf({ single: true }, { "db/admin": admin });
      await query(server, "SET GLOBAL read_only = 1");
      try {
        const set = target.set(target.propose(requestOf(fields)), requestOf(fields));
        await expect(set).rejects.toMatchObject({ code: "target-unreachable", exit: 75 });
      } finally {
        await query(server, "SET GLOBAL read_only = 0");
      }
      await query(server, "ALTER USER reader WITH MAX_CONNECTIONS_PER_HOUR 1");
      const verdicts = [await target.test(fields, requestOf(fields)), await target.test(fields, requestOf(fields))];
      expect(verdicts.map(({ type }) => type)).toEqual(["valid", "unreachable"]);
      const root = fieldsOf({ username: "root", password: ROOT });
      const nowhere = await targetOf({ single: true, database: "nowhere" }).test(root, requestOf(root));
      expect(nowhere).toMatchObject({ type: "unreachable", reason: expect.stringContaining("nowhere") });
    },
  );

  withServer("a certificate is checked, and who is not trusted is unreachable", async () => {
    const root = fieldsOf({ username: "root", password: ROOT });
    const verdict = (more: object) => {
      const settings = settingsOf({ single: true, ...more });
      const options = { ...optionsOf(settings, ADMIN), readFile: () => Buffer.from(certificate.cert) };
      return open(options).test(root, requestOf(root));
    };
    expect(await verdict({ tls: "require" })).toEqual({ type: "valid" });
    expect(await verdict({ tls: "verify-ca" })).toMatchObject({ type: "unreachable" });
    expect(await verdict({ tls: "verify-ca", caFile: "/ca.pem" })).toEqual({ type: "valid" });
    expect(await verdict({ tls: "verify-full", caFile: "/ca.pem", host: "localhost" })).toEqual({ type: "valid" });
    expect(await verdict({ tls: "verify-full", host: "localhost" })).toMatchObject({ type: "unreachable" });
  });

  test("a port where nobody listens: unreachable", async () => {
    const fields = fieldsOf({ username: "a", password: "b" });
    const target = open(optionsOf({ host: "127.0.0.1", port: 1, single: true }));
    expect(await target.test(fields, requestOf(fields))).toMatchObject({ type: "unreachable" });
    await expect(target.set(fields, requestOf(fields))).rejects.toMatchObject({ code: "target-unreachable", exit: 75 });
  });
});

withServer("the log of queries has no password, also when the statement fails", async ({ server }) => {
  await madeUser(server, "logged_a", "made-in-clear");
  await madeUser(server, "logged_weak", "weak-password");
  await query(server, "select 'from here'");
  const first = fieldsOf({ username: "logged_a", password: "kept-old-password" });
  const values: string[] = ["kept-old-password", "weak-password", ROOT];
  for (const more of [{ users: ["logged_a", "logged_b"] }, { single: true }]) {
    for (const admin of [ADMIN, { "db/admin": { username: "logged_weak", password: "weak-password" } }]) {
      const target = targetOf(more, admin);
      const next = target.propose(requestOf(first));
      values.push(exposed(next)["password"]!);
      await target.set(next, requestOf(first)).catch(() => undefined);
      await target.test(next, requestOf(first));
      await target.set(first, requestOf(first)).catch(() => undefined);
    }
  }
  const log = server.log().split("from here")[1]!;
  expect(log).toContain("IDENTIFIED VIA mysql_native_password USING '*");
  expect(values.filter((value) => log.includes(value))).toEqual([]);
});

test("settings are read strictly", () => {
  const wrong: readonly object[] = [
    {},
    { host: "h" },
    { host: "h", single: true, users: ["a", "b"] },
    { host: "h", users: ["a"] },
    { host: "h", users: ["a", "b"], user: "a" },
    { host: "h", users: ["a", "b"], retire: "now" },
    { host: "10.0.0.1", single: true },
    { host: "h", single: true, colour: 1 },
  ];
  for (const value of wrong) expect(() => open(optionsOf(value)), JSON.stringify(value)).toThrow(/rotation/);
});
