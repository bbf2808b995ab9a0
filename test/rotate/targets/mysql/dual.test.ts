import { describe, expect, onTestFinished, test } from "vitest";
import { open } from "../../../../src/rotate/targets/mysql.ts";
import { startFakeMysql } from "../../../servers/fake-mysql.ts";
import { exposed, fieldsOf, optionsOf, requestOf } from "../request.ts";

/** MySQL's second password, on a server that is written after the manual: no real one was met. */

const ADMIN = { "db/admin": { username: "root", password: "root-password" } };
const first = fieldsOf({ username: "app", password: "first" });

async function worldOf({ version = "8.4.0", admins = ["root"], more = {} } = {}) {
  const server = await startFakeMysql(version, { app: "first", root: "root-password" }, admins);
  onTestFinished(() => server[Symbol.dispose]());
  const settings = { host: "127.0.0.1", port: server.port, admin: "mcp-secret://local/db/admin", ...more };
  const target = open(optionsOf(settings, ADMIN));
  const valid = async (...each: readonly (typeof first)[]) => {
    const verdicts = await Promise.all(each.map((fields) => target.test(fields, requestOf(fields))));
    return verdicts.map(({ type }) => type === "valid");
  };
  return { server, target, valid };
}

describe("the old password beside the new one", () => {
  test("put twice, both are valid; retired twice, one is", async () => {
    const { server, target, valid } = await worldOf();
    expect(target.class).toBe("O");
    const second = target.propose(requestOf(first));
    expect(await valid(first, second)).toEqual([true, false]);
    await target.set(second, requestOf(first));
    await target.set(second, requestOf(first));
    expect(await valid(first, second)).toEqual([true, true]);
    await target.retire(first, requestOf(second, { previous: first }));
    await target.retire(first, requestOf(second, { previous: first }));
    expect(await valid(first, second)).toEqual([false, true]);
    expect(server.accounts.get("app")).not.toHaveProperty("secondary");
    expect(server.statements.join("\n")).not.toContain(exposed(second)["password"]);
  });

  test("an older one that was kept ends with the change", async () => {
    const { target, valid } = await worldOf();
    const [second, third] = [target.propose(requestOf(first)), target.propose(requestOf(first))];
    await target.set(second, requestOf(first));
    await target.set(third, requestOf(second, { previous: first }));
    expect(await valid(first, second, third)).toEqual([false, true, true]);
  });

  test("a rotation that came to nothing: the new one ends, and the old one is the only one again", async () => {
    const { target, valid } = await worldOf();
    const second = target.propose(requestOf(first));
    await target.set(second, requestOf(first));
    await target.set(first, requestOf(first, { previous: second }));
    expect(await valid(first, second)).toEqual([true, true]);
    await target.retire(second, requestOf(first));
    await target.retire(second, requestOf(first));
    expect(await valid(first, second)).toEqual([true, false]);
  });

  test("a late retirement ends nothing of a later rotation", async () => {
    const { target, valid } = await worldOf();
    const [second, third] = [target.propose(requestOf(first)), target.propose(requestOf(first))];
    await target.set(second, requestOf(first));
    await target.retire(first, requestOf(second));
    await target.set(third, requestOf(second));
    await target.retire(first, requestOf(second));
    expect(await valid(second, third)).toEqual([true, true]);
  });
});

describe("refused, and nothing changed", () => {
  test("an administrator without the right to it", async () => {
    const { target, valid } = await worldOf({ admins: [] });
    const second = target.propose(requestOf(first));
    await expect(target.set(second, requestOf(first))).rejects.toMatchObject({ code: "target-refused" });
    expect(await valid(first, second)).toEqual([true, false]);
  });

  test("a server that is too old", async () => {
    const { server, target, valid } = await worldOf({ version: "8.0.13" });
    const second = target.propose(requestOf(first));
    await expect(target.set(second, requestOf(first))).rejects.toMatchObject({ message: /before 8\.0\.14/ });
    expect(await valid(first, second)).toEqual([true, false]);
    expect(server.statements.filter((text) => text.startsWith("ALTER"))).toEqual([]);
  });

  test("an account of a plugin whose hashes we cannot compute", async () => {
    const { server, target } = await worldOf();
    server.accounts.get("app")!.plugin = "sha256_password";
    const second = target.propose(requestOf(first));
    await expect(target.set(second, requestOf(first))).rejects.toMatchObject({ message: /sha256_password/ });
  });
});

test("one password alone: an older one that was kept ends as well", async () => {
  const { target, valid } = await worldOf();
  const [second, third] = [target.propose(requestOf(first)), target.propose(requestOf(first))];
  await target.set(second, requestOf(first));
  const { server, ...single } = await worldOf({ more: { single: true } });
  server.accounts.get("app")!.secondary = server.accounts.get("root")!.primary;
  const kept = fieldsOf({ username: "app", password: "root-password" });
  expect(await single.valid(first, kept)).toEqual([true, true]);
  await single.target.set(third, requestOf(first));
  expect(await single.valid(first, kept, third)).toEqual([false, false, true]);
  expect(await valid(first, second)).toEqual([true, true]);
});
