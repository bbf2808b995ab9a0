import { spawnSync } from "node:child_process";
import * as nodeFs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decrypt, encrypt } from "../../../providers/local/age/age.ts";
import { formatRecipient, generateIdentity, parseIdentities } from "../../../providers/local/age/keys.ts";
import { openSeal } from "../../../providers/local/seal.ts";
import type { Fields } from "../../../src/core/provider.ts";
import { Secret } from "../../../src/core/secret.ts";
import { UserError } from "../../../src/errors.ts";
import { ageProgram } from "../../helpers/age-oracles.ts";
import { type TemporaryHome, temporaryHome } from "../../helpers/local-store.ts";

let at: TemporaryHome;
beforeEach(() => (at = temporaryHome()));
afterEach(() => at[Symbol.dispose]());

const request = { deadline: 0 };
const secret = (text: string, field = "value"): Fields => ({ [field]: new Secret(text) });
const fileOf = (path: string) => join(at.home, "local/secrets", `${path}.age`);
const identityFile = () => join(at.home, "local/identity");

async function value(path: string, field?: string): Promise<string | undefined> {
  const ref = { store: "local", path, ...(field === undefined ? {} : { field }) };
  const [resolved] = await at.open().resolve([ref], request);
  return resolved?.value.expose();
}

describe("put and resolve", () => {
  test("a secret is read back, by a new process too, with its version", async () => {
    expect(await at.open().put("github/token", secret("one"), { ifVersion: 0 })).toBe(1);
    const ref = { store: "local", path: "github/token" };
    expect(await at.open().resolve([ref], request)).toEqual([{ ref, value: new Secret("one"), version: 1 }]);
    expect(await value("github/token")).toBe("one");
  });

  test("answers come in the order of the references, and each path is read once", async () => {
    await at.open().put("db", { user: new Secret("app"), password: new Secret("p") }, { ifVersion: 0 });
    await at.open().put("x", secret("y"), { ifVersion: 0 });
    const read: string[] = [];
    const readFileSync = ((path: string) => {
      read.push(path);
      return nodeFs.readFileSync(path);
    }) as typeof nodeFs.readFileSync;
    const refs = ["password", "user", "password"].map((field) => ({ store: "local", path: "db", field }));
    const asked = [refs[0]!, { store: "local", path: "x" }, refs[1]!, refs[2]!];
    const answers = await at.open({ ...nodeFs, readFileSync }).resolve(asked, request);
    expect(answers.map((answer) => answer.value.expose())).toEqual(["p", "y", "app", "p"]);
    expect(answers.map(({ ref }) => ref)).toEqual(asked);
    expect(read.filter((path) => path === fileOf("db"))).toHaveLength(1);
  });

  test("any text comes back as it was, under names of objects too", async () => {
    const texts = fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(texts, async (given) => {
        using home = temporaryHome();
        const names = ["__proto__", "constructor", "value"];
        const fields = Object.fromEntries(given.map((text, index) => [names[index]!, new Secret(text)]));
        await home.open().put("p", fields, { ifVersion: 0 });
        const refs = Object.keys(fields).map((field) => ({ store: "local", path: "p", field }));
        const resolved = await home.open().resolve(refs, request);
        expect(resolved.map((answer) => answer.value.expose())).toEqual(given);
      }),
      { numRuns: 25 },
    );
  });

  test("compare-and-swap: only the version that is current can be replaced", async () => {
    const store = at.open();
    await store.put("a", secret("one"), { ifVersion: 0 });
    expect(await store.put("a", secret("two"), { ifVersion: 1 })).toBe(2);
    for (const ifVersion of [0, 1, 3]) {
      await expect(store.put("a", secret("no"), { ifVersion })).rejects.toMatchObject({
        code: "secret-exists",
        exit: 75,
      });
    }
    await expect(store.put("b", secret("no"), { ifVersion: 1 })).rejects.toMatchObject({ code: "secret-exists" });
    expect(await value("a")).toBe("two");
  });

  test("of many at once exactly one wins, of creators and of writers", async () => {
    const stores = Array.from({ length: 12 }, () => at.open());
    for (const ifVersion of [0, 1, 2]) {
      const tries = stores.map((store, index) => store.put("a/b", secret(`${ifVersion}-${index}`), { ifVersion }));
      const settled = await Promise.allSettled(tries);
      expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const winner = settled.findIndex(({ status }) => status === "fulfilled");
      expect(await value("a/b")).toBe(`${ifVersion}-${winner}`);
    }
  });

  test("a secret and a folder may have one name", async () => {
    for (const path of ["a", "a/b", "a.age/b", "a.age", "con", "dot."])
      await at.open().put(path, secret(path), { ifVersion: 0 });
    for (const path of ["a", "a/b", "a.age/b", "a.age", "con", "dot."]) expect(await value(path)).toBe(path);
  });

  test("what is too long is refused clearly and makes nothing", async () => {
    const failure = at.open().put(`a/${"x".repeat(300)}`, secret("x"), { ifVersion: 0 });
    await expect(failure).rejects.toMatchObject({ code: "reference-invalid" });
    expect(at.files().filter((file) => file.includes("xxx"))).toEqual([]);
  });

  test("files are private, and hold nothing in the clear", async () => {
    await at.open().put("a/b", secret("canary-value"), { ifVersion: 0 });
    await at.open().put("a/b", secret("canary-value-2"), { ifVersion: 1 });
    expect(at.files()).toEqual(["local/identity", "local/secrets/a/b.age", "local/secrets/a/b.age.previous"]);
    for (const file of at.files()) {
      expect(nodeFs.statSync(join(at.home, file)).mode & 0o777).toBe(0o600);
      expect(nodeFs.readFileSync(join(at.home, file)).includes("canary")).toBe(false);
    }
    for (const folder of ["", "local", "local/secrets", "local/secrets/a"]) {
      expect(nodeFs.statSync(join(at.home, folder)).mode & 0o777).toBe(0o700);
    }
  });
});

describe("missing", () => {
  test("a secret: named, with the command that makes it", async () => {
    await expect(value("git/hub", "token")).rejects.toMatchObject({
      code: "secret-not-found",
      message: "no secret mcp-secret://local/git/hub",
      hint: "mcp-secrets set mcp-secret://local/git/hub",
    });
  });

  test.each(["other", "toString", "__proto__"])("a field: named (%s)", async (field) => {
    await at.open().put("a", secret("x"), { ifVersion: 0 });
    await expect(value("a", field)).rejects.toMatchObject({
      code: "secret-not-found",
      message: `mcp-secret://local/a has no field ${field}`,
      hint: `mcp-secrets set mcp-secret://local/a#${field}`,
    });
  });

  test("reading an empty home makes nothing", async () => {
    await expect(value("a")).rejects.toThrow();
    expect([await at.open().list(), await at.open().readAll(), await at.open().describe("a")]).toEqual([
      [],
      [],
      undefined,
    ]);
    expect(nodeFs.existsSync(at.home)).toBe(false);
  });
});

describe("list, describe, readAll, remove", () => {
  test("tell of all, without values, sorted", async () => {
    for (const path of ["b", "a/z", "a/con"])
      await at.open(nodeFs, () => 86_400_000).put(path, secret("canary"), { ifVersion: 0 });
    await at.open(nodeFs, () => 90_000_000).put("b", { user: new Secret("u"), key: new Secret("k") }, { ifVersion: 1 });
    const list = await at.open().list();
    expect(list).toEqual([
      { path: "a/con", fields: ["value"], version: 1, updatedAt: 86_400_000 },
      { path: "a/z", fields: ["value"], version: 1, updatedAt: 86_400_000 },
      { path: "b", fields: ["key", "user"], version: 2, updatedAt: 90_000_000 },
    ]);
    expect(await at.open().describe("b")).toEqual(list[2]);
    const all = await at.open().readAll();
    expect(all.map(({ path, field, value: found }) => [path, field, found.expose()])).toEqual([
      ["a/con", "value", "canary"],
      ["a/z", "value", "canary"],
      ["b", "user", "u"],
      ["b", "key", "k"],
    ]);
  });

  test("foreign files are passed over", async () => {
    await at.open().put("a/b", secret("x"), { ifVersion: 0 });
    for (const name of ["note.txt", ".DS_Store", "@c.age", ".mcp-secrets-tmp-12"]) {
      nodeFs.writeFileSync(join(at.home, "local/secrets/a", name), "?");
    }
    expect((await at.open().list()).map(({ path }) => path)).toEqual(["a/b"]);
  });

  test("remove leaves nothing of it, and everything else", async () => {
    await at.open().put("a/b/c", secret("x"), { ifVersion: 0 });
    await at.open().put("a/b/c", secret("y"), { ifVersion: 1 });
    await at.open().put("a/d", secret("z"), { ifVersion: 0 });
    await at.open().remove("a/b/c");
    expect(nodeFs.readdirSync(join(at.home, "local/secrets"))).toEqual(["a"]);
    expect(nodeFs.readdirSync(join(at.home, "local/secrets/a"))).toEqual(["d.age"]);
    expect(nodeFs.readdirSync(join(at.home, "local/locks"))).toEqual([]);
    await expect(at.open().remove("a/b/c")).rejects.toMatchObject({ code: "secret-not-found", exit: 69 });
    expect(await at.open().put("a/b/c", secret("again"), { ifVersion: 0 })).toBe(1);
  });
});

describe("the keys", () => {
  test("are made once, as age-keygen makes them, and never written over", async () => {
    await Promise.all(["a", "b", "c"].map((path) => at.open().put(path, secret(path), { ifVersion: 0 })));
    const text = nodeFs.readFileSync(identityFile(), "utf8");
    expect(text).toMatch(/^# created: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n# public key: age1\w+\nAGE-SECRET-KEY-1\w+\n$/);
    expect(text).toContain(`# public key: ${formatRecipient(parseIdentities(text)[0]!.recipient)}\n`);
    for (const path of ["a", "b", "c"]) expect(await value(path)).toBe(path);
    expect(nodeFs.readFileSync(identityFile(), "utf8")).toBe(text);
  });

  test("a lost identity is told with what brings it back, and no new one is made", async () => {
    await at.open().put("a", secret("x"), { ifVersion: 0 });
    nodeFs.renameSync(identityFile(), `${identityFile()}.bak`);
    const lost = { code: "store-unavailable", exit: 69, hint: expect.stringContaining(identityFile()) as string };
    await expect(value("a")).rejects.toMatchObject(lost);
    await expect(at.open().put("b", secret("x"), { ifVersion: 0 })).rejects.toMatchObject(lost);
    await expect(at.open().list()).rejects.toMatchObject(lost);
    expect(nodeFs.existsSync(identityFile())).toBe(false);
    nodeFs.renameSync(`${identityFile()}.bak`, identityFile());
    expect(await value("a")).toBe("x");
  });

  test("another identity does not open the store", async () => {
    await at.open().put("a", secret("x"), { ifVersion: 0 });
    nodeFs.writeFileSync(identityFile(), generateIdentity().text);
    await expect(value("a")).rejects.toMatchObject({
      code: "store-locked",
      message: expect.stringContaining("mcp-secret://local/a") as string,
    });
  });

  test.each(["", "# only comments\n", "AGE-SECRET-KEY-1NOTAKEY\n"])(
    "a damaged identity is told, not quoted: %j",
    async (text) => {
      await at.open().put("a", secret("x"), { ifVersion: 0 });
      nodeFs.writeFileSync(identityFile(), text);
      await expect(value("a")).rejects.toMatchObject({ code: "store-unavailable" });
      await expect(value("a")).rejects.not.toMatchObject({ message: expect.stringContaining("NOTAKEY") as string });
      await expect(at.open().put("b", secret("x"), { ifVersion: 0 })).rejects.toMatchObject({
        code: "store-unavailable",
      });
      expect(nodeFs.readFileSync(identityFile(), "utf8")).toBe(text);
    },
  );

  test("more recipients can read what is written from then on", async () => {
    await at.open().put("old", secret("x"), { ifVersion: 0 });
    const recovery = generateIdentity();
    const recipients = join(at.home, "local/recipients");
    nodeFs.writeFileSync(recipients, `# recovery\n${formatRecipient(recovery.identity.recipient)}\n`);
    await at.open().put("new", secret("canary"), { ifVersion: 0 });
    expect(decrypt(nodeFs.readFileSync(fileOf("new")), [recovery.identity]).toString()).toContain("canary");
    expect(await value("new")).toBe("canary");
    nodeFs.writeFileSync(recipients, "age1nonsense\n");
    const bad = { code: "store-unavailable", message: expect.stringContaining("line 1") as string };
    await expect(at.open().put("b", secret("x"), { ifVersion: 0 })).rejects.toMatchObject(bad);
    expect(await value("new")).toBe("canary");
  });

  const age = ageProgram();
  test.skipIf(age === undefined)("the stock age opens every file of the store", async () => {
    await at.open().put("a/b", secret("one"), { ifVersion: 0 });
    await at.open().put("a/b", secret("two"), { ifVersion: 1 });
    const opened = spawnSync(age ?? "", ["-d", "-i", identityFile(), fileOf("a/b")], { encoding: "utf8" });
    expect(JSON.parse(opened.stdout)).toMatchObject({
      path: "a/b",
      versions: { "1": { fields: { value: "one" } }, "2": { fields: { value: "two" } } },
      stages: { current: 2, previous: 1 },
    });
  });

  test("a file that age armored is read too", async () => {
    await at.open().put("a", secret("x"), { ifVersion: 0 });
    const text = nodeFs.readFileSync(fileOf("a")).toString("base64").replace(/.{64}/g, "$&\n").trim();
    nodeFs.writeFileSync(
      fileOf("a"),
      `-----BEGIN AGE ENCRYPTED FILE-----\n${text}\n-----END AGE ENCRYPTED FILE-----\n`,
    );
    expect(await value("a")).toBe("x");
  });
});

describe("a damaged store is named, never a wrong value", () => {
  test("any damage to the file", async () => {
    await at.open().put("a", secret("x"), { ifVersion: 0 });
    const good = nodeFs.readFileSync(fileOf("a"));
    const damages = fc.record({
      place: fc.nat(good.length - 1),
      mask: fc.integer({ min: 1, max: 255 }),
      cut: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(damages, async ({ place, mask, cut }) => {
        const damaged = Buffer.from(cut ? good.subarray(0, place) : good);
        if (!cut) damaged[place]! ^= mask;
        nodeFs.writeFileSync(fileOf("a"), damaged);
        await expect(value("a")).rejects.toMatchObject({
          code: expect.stringMatching(/^(secret-corrupt|store-locked)$/) as string,
          message: expect.stringContaining("mcp-secret://local/a") as string,
        });
      }),
    );
  });

  test("a file that was put in the place of another", async () => {
    await at.open().put("a", secret("value of a"), { ifVersion: 0 });
    await at.open().put("b", secret("value of b"), { ifVersion: 0 });
    nodeFs.copyFileSync(fileOf("b"), fileOf("a"));
    await expect(value("a")).rejects.toMatchObject({
      code: "secret-corrupt",
      message: expect.stringMatching(/local\/a .*holds mcp-secret:\/\/local\/b/) as string,
    });
  });

  test("a file that a stranger encrypted to us", async () => {
    await at.open().put("a", secret("x"), { ifVersion: 0 });
    const [identity] = parseIdentities(nodeFs.readFileSync(identityFile(), "utf8"));
    nodeFs.writeFileSync(fileOf("a"), encrypt(Buffer.from('{"value":"evil"}'), [identity!.recipient]));
    await expect(value("a")).rejects.toMatchObject({ code: "secret-corrupt" });
  });

  test("the hint brings the value before the last change back, where it is kept", async () => {
    await at.open().put("a", secret("one"), { ifVersion: 0 });
    nodeFs.writeFileSync(fileOf("a"), "");
    await expect(value("a")).rejects.toMatchObject({
      hint: expect.stringContaining("mcp-secrets rm mcp-secret://local/a") as string,
    });
    await at.open().remove("a");
    await at.open().put("a", secret("one"), { ifVersion: 0 });
    await at.open().put("a", secret("two"), { ifVersion: 1 });
    nodeFs.writeFileSync(fileOf("a"), "");
    const failure = await value("a").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    const { hint = "" } = failure as UserError;
    expect(spawnSync("sh", ["-c", hint.replace(/ brings.*/, "")]).status).toBe(0);
    expect(await value("a")).toBe("one");
  });

  test("does not hide the others", async () => {
    for (const path of ["a", "b"]) await at.open().put(path, secret(path), { ifVersion: 0 });
    nodeFs.writeFileSync(fileOf("a"), "");
    const [bad, good] = await at.open().list();
    expect(bad).toMatchObject({
      path: "a",
      fields: [],
      version: 0,
      problem: expect.stringContaining("damaged") as string,
    });
    expect(good).toMatchObject({ path: "b", version: 1 });
    expect((await at.open().readAll()).map(({ path }) => path)).toEqual(["b"]);
    expect(await value("b")).toBe("b");
  });

  test("a damaged secret is not written over, but can be removed", async () => {
    await at.open().put("a", secret("x"), { ifVersion: 0 });
    nodeFs.writeFileSync(fileOf("a"), "");
    await expect(at.open().put("a", secret("y"), { ifVersion: 1 })).rejects.toMatchObject({ code: "secret-corrupt" });
    await at.open().remove("a");
    expect(at.files()).toEqual(["local/identity"]);
  });
});

describe("openSeal", () => {
  test("opens what it closed, with the key of the store", async () => {
    const sealed = await openSeal(at.options()).close(Buffer.from("config"));
    expect(openSeal(at.options()).open(sealed).toString()).toBe("config");
    const identities = parseIdentities(nodeFs.readFileSync(identityFile(), "utf8"));
    expect(decrypt(sealed, identities).toString()).toBe("config");
    expect(() => openSeal(at.options()).open(sealed.subarray(1))).toThrow(
      expect.objectContaining({ code: "not-restorable" }),
    );
    nodeFs.writeFileSync(identityFile(), generateIdentity().text);
    expect(() => openSeal(at.options()).open(sealed)).toThrow(expect.objectContaining({ code: "store-locked" }));
  });
});
