import { type AddressInfo, connect, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { open } from "../../../src/rotate/targets/redis.ts";
import { selfSigned } from "../../servers/certificate.ts";
import { command, logsIn } from "../../servers/redis-client.ts";
import { keptBy, type Redis, type RedisKind, startRedis } from "../../servers/redis.ts";
import { exposed, fieldsOf, optionsOf, requestOf } from "./request.ts";

const PASSWORD = "default-password";
const ADMIN = { "db/admin": { username: "default", password: PASSWORD } };

function targetOf(
  server: { readonly port: number },
  more: { readonly nodes?: readonly string[]; readonly admin?: undefined; readonly persist?: string } = {},
  admin: Record<string, Record<string, string>> = ADMIN,
) {
  const place = more.nodes === undefined ? { host: "127.0.0.1", port: server.port } : {};
  return open(optionsOf({ ...place, admin: "mcp-secret://local/db/admin", ...more }, admin));
}

describe.for<RedisKind>(["redis", "valkey"])("%s", (kind) => {
  let started: Redis | undefined;
  beforeAll(async () => {
    started = await startRedis(kind, PASSWORD);
  });
  afterAll(async () => started?.[Symbol.asyncDispose]());
  const missing = `SKIPPED: no ${kind} here, and its Python package cannot be installed`;
  const withServer = test.extend<{ server: Redis }>({
    server: async ({ skip }, use) => (started === undefined ? skip(missing) : use(started)),
  });

  withServer(
    "a whole life: both are valid until the old one is retired, over a restart as well",
    async ({ server }) => {
      await command(server, ["ACL", "SETUSER", "life", "on", ">old-password", "~app:*", "+get"]);
      const target = targetOf(server);
      expect(target.class).toBe("O");
      const url = "redis://life:old-password@h:1/0";
      const first = fieldsOf({ username: "life", password: "old-password", url });
      const second = target.propose(requestOf(first));
      expect(exposed(second)).toMatchObject({
        username: "life",
        url: `redis://life:${exposed(second)["password"]}@h:1/0`,
      });
      expect(await target.test(second, requestOf(first))).toEqual({ type: "rejected" });
      await target.set(second, requestOf(first));
      await target.set(second, requestOf(first));
      await server.restart();
      expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
      expect(await target.test(first, requestOf(first))).toEqual({ type: "valid" });

      await target.retire(first, requestOf(second));
      await target.retire(first, requestOf(second));
      await target.retire(second, requestOf(second));
      await server.restart();
      expect(await target.test(first, requestOf(second))).toEqual({ type: "rejected" });
      expect(await target.test(second, requestOf(second))).toEqual({ type: "valid" });
      // Only the hash of it ever reached the server.
      expect(keptBy(server)).not.toContain(exposed(second)["password"]);
      const log = JSON.stringify([
        await command(server, ["SLOWLOG", "GET", "128"]),
        await command(server, ["ACL", "LOG"]),
      ]);
      expect(log).not.toContain(exposed(second)["password"]);
    },
  );

  withServer("the default user changes its own password, in a secret that names nobody", async ({ server }) => {
    await using own = await startRedis(kind, PASSWORD);
    if (own === undefined) throw new Error(`there was one before, on ${server.port}`);
    const target = targetOf(own, { admin: undefined });
    const first = fieldsOf({ value: `redis://:${PASSWORD}@h` });
    const second = target.propose(requestOf(first));
    expect(exposed(second)["value"]).toMatch(/^redis:\/\/:[A-Za-z0-9]{40}@h$/);
    await target.set(second, requestOf(first));
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    await target.retire(first, requestOf(second));
    expect(await logsIn(own, { password: PASSWORD })).toBe(false);
    // The answer to the first of two calls was lost, and the old one is gone.
    await target.set(second, requestOf(first));
  });

  withServer(
    "refused before anything is changed: no such user, any password, no rights, a wrong login",
    async ({ server }) => {
      await command(server, ["ACL", "SETUSER", "open", "on", "nopass", "~*", "+@all"]);
      await command(server, ["ACL", "SETUSER", "weak", "on", ">weak", "~*", "+get"]);
      const set = (username: string, admin = ADMIN["db/admin"]) => {
        const fields = fieldsOf({ username, password: "x" });
        return targetOf(server, {}, { "db/admin": admin }).set(fields, requestOf(fields));
      };
      await expect(set("nobody")).rejects.toMatchObject({ code: "target-refused", message: /no user nobody/ });
      await expect(set("open")).rejects.toMatchObject({ code: "target-refused", message: /any password/ });
      const wrong = set("weak", { username: "default", password: "wrong" });
      await expect(wrong).rejects.toMatchObject({ code: "target-refused", hint: /admin/ });
      const weak = set("weak", { username: "weak", password: "weak" });
      await expect(weak).rejects.toMatchObject({ code: "target-refused", hint: /acl\|setuser/ });
      const alone = targetOf(server, { admin: undefined });
      const [unknown, candidate] = ["unknown", "candidate"].map((password) => fieldsOf({ username: "weak", password }));
      await expect(alone.set(candidate!, requestOf(unknown!))).rejects.toMatchObject({ code: "target-refused" });
      await command(server, ["ACL", "SETUSER", "weak", "off"]);
      const off = fieldsOf({ username: "weak", password: "weak" });
      expect(await targetOf(server).test(off, requestOf(off))).toEqual({ type: "rejected" });
    },
  );

  withServer(
    "any password: a login with it proves nothing, whoever looks; one's own stays valid",
    async ({ server }) => {
      await command(server, ["ACL", "SETUSER", "any", "on", "nopass", "~*", "+@all"]);
      const current = fieldsOf({ username: "any", password: "old-password" });
      for (const admin of [ADMIN, undefined]) {
        const target = admin === undefined ? targetOf(server, { admin }) : targetOf(server);
        const candidate = target.propose(requestOf(current));
        await expect(target.set(candidate, requestOf(current))).rejects.toMatchObject({ code: "target-refused" });
        expect(await target.test(candidate, requestOf(current))).toEqual({ type: "rejected" });
        expect(await target.test(current, requestOf(current))).toEqual({ type: "valid" });
      }
      // Of an administrator who is not let in nothing is said about the user.
      const wrong = targetOf(server, {}, { "db/admin": { username: "default", password: "wrong" } });
      const verdict = await wrong.test(fieldsOf({ username: "any", password: "new" }), requestOf(current));
      expect(verdict).toMatchObject({ type: "unreachable", reason: /user any takes any password cannot be seen/ });
    },
  );

  withServer("an administrator that may do no more than it must", async ({ server }) => {
    const rights = ["+acl|getuser", "+acl|setuser", "+acl|save"];
    await command(server, ["ACL", "SETUSER", "rotator", "on", ">rotator", "-@all", ...rights]);
    await command(server, ["ACL", "SETUSER", "least", "on", ">old-password", "~*", "+get"]);
    const target = targetOf(server, {}, { "db/admin": { username: "rotator", password: "rotator" } });
    const first = fieldsOf({ username: "least", password: "old-password" });
    const second = target.propose(requestOf(first));
    await target.set(second, requestOf(first));
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    await target.retire(first, requestOf(second));
    expect(await target.test(first, requestOf(second))).toEqual({ type: "rejected" });
  });

  withServer("every node is told, and all of them must take it", async ({ server }) => {
    await using second = await startRedis(kind, PASSWORD);
    for (const node of [server, second!]) await command(node, ["ACL", "SETUSER", "both", "on", ">old", "~*", "+get"]);
    const nodes = [server, second!].map(({ port }) => `127.0.0.1:${port}`);
    const target = targetOf(server, { nodes });
    const old = fieldsOf({ username: "both", password: "old" });
    const next = target.propose(requestOf(old));
    await targetOf(server).set(next, requestOf(old));
    expect(await target.test(next, requestOf(old))).toEqual({ type: "rejected" });
    await target.set(next, requestOf(old));
    expect(await target.test(next, requestOf(old))).toEqual({ type: "valid" });
    await target.retire(old, requestOf(next));
    for (const node of [server, second!]) expect(await logsIn(node, { username: "both", password: "old" })).toBe(false);
    const withClosed = targetOf(server, { nodes: [...nodes, "127.0.0.1:1"] });
    expect(await withClosed.test(next, requestOf(next))).toMatchObject({ type: "unreachable" });
  });

  withServer("where a server keeps its users: a restart must not bring the old password back", async () => {
    const first = fieldsOf({ password: PASSWORD });
    await using none = await startRedis(kind, PASSWORD, "none");
    const refused = targetOf(none!, { admin: undefined });
    for (const target of [refused, targetOf(none!, { admin: undefined, persist: "config" })]) {
      await expect(target.set(target.propose(requestOf(first)), requestOf(first))).rejects.toMatchObject({
        code: "target-refused",
        message: /restart/,
      });
    }
    const told = targetOf(none!, { admin: undefined, persist: "none" });
    await told.set(told.propose(requestOf(first)), requestOf(first));

    await using config = await startRedis(kind, PASSWORD, "config");
    const target = targetOf(config!, { admin: undefined, persist: "config" });
    const second = target.propose(requestOf(first));
    await target.set(second, requestOf(first));
    await config!.restart();
    expect(await target.test(second, requestOf(first))).toEqual({ type: "valid" });
    await target.retire(first, requestOf(second));
    await config!.restart();
    expect(await target.test(first, requestOf(second))).toEqual({ type: "rejected" });
  });

  withServer.for(["é ſ ﬁ", `"'\\ >x #y`, "😀@%/"])("a password as %s", async (password, { server }) => {
    await command(server, ["ACL", "SETUSER", "ünïcode", "on", ">old", "~*", "+get"]);
    const target = targetOf(server);
    const [old, put] = ["old", password].map((value) => fieldsOf({ username: "ünïcode", password: value }));
    await target.set(put!, requestOf(old!));
    await target.retire(old!, requestOf(put!));
    expect(await target.test(put!, requestOf(put!))).toEqual({ type: "valid" });
    expect(await target.test(old!, requestOf(put!))).toEqual({ type: "rejected" });
  });

  withServer("a certificate is checked, and who is not trusted is unreachable", async ({ server }) => {
    const certificate = selfSigned("localhost", ["subjectAltName=DNS:localhost"]);
    const front = createTlsServer(certificate, (socket) => {
      const back = connect(server.port, "127.0.0.1");
      for (const each of [socket, back]) each.on("error", () => undefined);
      socket.pipe(back).pipe(socket);
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void front.close());
    const { port } = front.address() as AddressInfo;
    const fields = fieldsOf({ password: PASSWORD });
    const verdict = (more: object) => {
      const options = {
        ...optionsOf({ host: "127.0.0.1", port, ...more }),
        readFile: () => Buffer.from(certificate.cert),
      };
      return open(options).test(fields, requestOf(fields));
    };
    expect(await verdict({ tls: "require" })).toEqual({ type: "valid" });
    expect(await verdict({ tls: "verify-full" })).toMatchObject({ type: "unreachable" });
    expect(await verdict({ tls: "verify-full", caFile: "/ca.pem" })).toMatchObject({ type: "unreachable" });
    expect(await verdict({ tls: "verify-full", caFile: "/ca.pem", host: "localhost" })).toEqual({ type: "valid" });
    expect(await verdict({ tls: "verify-ca", caFile: "/ca.pem" })).toEqual({ type: "valid" });
  });
});

test("no answer, an answer that is none, and one that means later: unreachable", async () => {
  const fields = fieldsOf({ password: "x" });
  const says = async (answer: string | undefined) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => answer !== undefined && socket.write(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    return targetOf(server.address() as AddressInfo, { admin: undefined });
  };
  const soon = () => requestOf(fields, { deadline: Date.now() + 300 });
  for (const answer of [
    undefined,
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "-LOADING Redis is loading the dataset in memory\r\n",
    "-ERR max number of clients reached\r\n",
    "-DENIED Redis is running in protected mode\r\n",
  ]) {
    const target = await says(answer);
    expect(await target.test(fields, soon()), answer).toMatchObject({ type: "unreachable" });
    await expect(target.set(fields, soon()), answer).rejects.toMatchObject({ code: "target-unreachable", exit: 75 });
  }
  const closed = targetOf({ port: 1 }, { admin: undefined });
  expect(await closed.test(fields, requestOf(fields))).toMatchObject({ type: "unreachable" });
});

test("settings are read strictly", () => {
  const wrong: readonly object[] = [
    {},
    { host: "h", nodes: ["h:1"] },
    { port: 1, nodes: ["h:1"] },
    { nodes: ["h:99999"] },
    { nodes: ["h/x"] },
    { host: "h", persist: "disk" },
    { host: "h", user: "a b" },
    { host: "h", users: ["a", "b"] },
  ];
  for (const value of wrong) expect(() => open(optionsOf(value)), JSON.stringify(value)).toThrow(/rotation/);
  for (const nodes of [["[::1]:1", "h"], "h"]) expect(open(optionsOf({ nodes })).class).toBe("O");
});
