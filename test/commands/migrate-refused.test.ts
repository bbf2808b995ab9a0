import * as nodeFs from "node:fs";
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runMigrate } from "../../src/commands/migrate.ts";
import type { Context } from "../../src/context.ts";
import { Secret } from "../../src/core/secret.ts";
import { createFiles, type FileSystem } from "../../src/io/files.ts";
import { readMarks } from "../../src/rotate/marks.ts";
import { openStore } from "../../src/stores.ts";
import { type TestContext, testContext } from "../helpers/context.ts";

/** A config that cannot be written leaves nothing of it in the store. */

let at: TestContext;
beforeEach(() => (at = testContext()));
afterEach(() => at[Symbol.dispose]());

const TOKEN = "k3J9sQ2vXw7Lm4Np8Rt1";

function config(name: string, secrets: Readonly<Record<string, string>> = { A_TOKEN: TOKEN }): string {
  const path = join(at.folder, name, "c.json");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, JSON.stringify({ mcpServers: { [name]: { command: "x", env: secrets } } }));
  return path;
}

/** The context over a file system that answers otherwise. */
function over(fs: Partial<FileSystem>): Context {
  const { platform, random } = at.context;
  return { ...at.context, files: createFiles({ fs: { ...nodeFs, ...fs }, platform, random }) };
}

function failing(code: string): never {
  throw Object.assign(new Error(`${code}: injected`), { code });
}

const migrate = (context: Context, ...paths: string[]) => runMigrate(context, { config: paths, yes: true });

async function stored(): Promise<readonly string[]> {
  const store = await openStore(at.context, "local");
  return ((await store.list?.()) ?? []).map(({ path }) => path);
}

describe("what can be known is known before anything is stored", () => {
  it("a second name of the file", async () => {
    const path = config("a");
    linkSync(path, join(at.folder, "other.json"));
    expect(await migrate(at.context, path)).toBe(73);
    expect(at.taken().err).toMatch(/hard link/);
    expect(existsSync(at.context.home)).toBe(false);
  });

  it.skipIf(process.getuid?.() === 0)("a folder that is not ours to write", async () => {
    const path = config("a");
    chmodSync(dirname(path), 0o555);
    expect(await migrate(at.context, path)).toBe(73);
    expect(existsSync(at.context.home)).toBe(false);
    chmodSync(dirname(path), 0o755);
  });

  const refused: readonly [string, Partial<FileSystem>, RegExp][] = [
    ["a read-only file system", { accessSync: () => failing("EROFS") }, /cannot write .*a\/c\.json: EROFS/],
    [
      "a full disk",
      { statfsSync: (() => ({ blocks: 9, bfree: 0, bsize: 4096 })) as unknown as FileSystem["statfsSync"] },
      /cannot write .*a\/c\.json: ENOSPC/,
    ],
  ];
  it.each(refused)("%s", async (_, fs, words) => {
    const path = config("a");
    const before = readFileSync(path);
    expect(await migrate(over(fs), path)).toBe(73);
    expect(at.taken().err).toMatch(words);
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(at.context.home)).toBe(false);
  });

  it("and stops no other config", async () => {
    const [bad, good] = [config("bad"), config("good", { A_TOKEN: TOKEN, B_TOKEN: `${TOKEN}2` })];
    linkSync(bad, join(at.folder, "other.json"));
    expect(await migrate(at.context, bad, good)).toBe(73);
    expect(readFileSync(bad, "utf8")).toContain(TOKEN);
    // The value of both was planned under the first one's name; it is stored for the second.
    expect(await stored()).toEqual(["bad/A_TOKEN", "good/B_TOKEN"]);
    const places = [...readMarks(at.context).values()].flatMap((mark) => mark.places.map(({ server }) => server));
    expect(new Set(places)).toEqual(new Set(["good"]));
  });
});

describe("what cannot be known leaves nothing behind", () => {
  const sticking: Partial<FileSystem> = {
    renameSync: (from, to) => (String(to).endsWith("/c.json") ? failing("EPERM") : nodeFs.renameSync(from, to)),
  };

  it("no secret and no mark, where the rename fails", async () => {
    const path = config("a", { A_TOKEN: TOKEN, B_TOKEN: `${TOKEN}2` });
    const before = readFileSync(path);
    const store = await openStore(at.context, "local");
    await store.put?.("mine/TOKEN", { value: new Secret(TOKEN) }, { ifVersion: 0 });
    expect(await migrate(over(sticking), path)).toBe(73);
    expect(readFileSync(path)).toEqual(before);
    expect(await stored()).toEqual(["mine/TOKEN"]);
    expect([...readMarks(at.context).keys()]).toEqual(["mcp-secret://local/mine/TOKEN"]);
    expect(await migrate(at.context, path)).toBe(0);
    expect(await stored()).toEqual(["a/B_TOKEN", "mine/TOKEN"]);
  });

  it("nor where a secret after others could not be stored", async () => {
    const path = config("a", { A_TOKEN: TOKEN, B_TOKEN: `${TOKEN}2`, C_TOKEN: `${TOKEN}3` });
    const full: Partial<FileSystem> = {
      linkSync: (from, to) => (String(to).endsWith("C_TOKEN.age") ? failing("ENOSPC") : nodeFs.linkSync(from, to)),
    };
    await expect(migrate(over(full), path)).rejects.toMatchObject({ code: "cannot-write" });
    expect(await stored()).toEqual([]);
    expect(readMarks(at.context).size).toBe(0);
  });

  it("but what another config that was rewritten names stays", async () => {
    const [bad, good] = [config("bad"), join(at.folder, "good.json")];
    writeFileSync(good, readFileSync(bad));
    expect(await migrate(over(sticking), bad, good)).toBe(73);
    expect(await stored()).toEqual(["bad/A_TOKEN"]);
    expect(readFileSync(good, "utf8")).toContain("mcp-secret://local/bad/A_TOKEN");
  });
});
