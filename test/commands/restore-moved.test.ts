import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runMigrate } from "../../src/commands/migrate.ts";
import { type RestoreOptions, runRestore } from "../../src/commands/restore.ts";
import { type TestContext, testContext } from "../helpers/context.ts";

/** A config that is not where migrate rewrote it. */

let at: TestContext;
let config: string;
let original: Buffer;
beforeEach(async () => {
  at = testContext();
  config = join(at.folder, "c.json");
  const server = (token: string) => ({ command: "x", env: { A_TOKEN: token } });
  const servers = { one: server("k3J9sQ2vXw7Lm4Np8Rt1"), two: server("k3J9sQ2vXw7Lm4Np8Rt2") };
  writeFileSync(config, `// mine\n${JSON.stringify({ mcpServers: servers }, null, 2)}\n`);
  original = readFileSync(config);
  expect(await runMigrate(at.context, { config: [config], yes: true })).toBe(0);
  at.taken();
});
afterEach(() => at[Symbol.dispose]());

const restore = (options: RestoreOptions) => runRestore(at.context, { yes: true, ...options });

describe("deleted", () => {
  it("is made again for who names it, private, with its folder", async () => {
    rmSync(config);
    expect(await restore({ config: [config] })).toBe(0);
    expect(at.taken().out).toMatch(/c\.json: it is gone, and is made again with the exact bytes from before/);
    expect(readFileSync(config)).toEqual(original);
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(await restore({ config: [config] })).toBe(0);
    expect(at.taken().out).toMatch(/nothing to restore/);
  });

  it("one server only: the others come back as they were left", async () => {
    const migrated = readFileSync(config, "utf8");
    rmSync(config);
    expect(await restore({ config: [config], server: ["one"] })).toBe(0);
    expect(readFileSync(config, "utf8")).toContain("k3J9sQ2vXw7Lm4Np8Rt1");
    expect(readFileSync(config, "utf8")).not.toContain("k3J9sQ2vXw7Lm4Np8Rt2");
    expect(migrated).not.toContain("k3J9sQ2vXw7Lm4Np8Rt1");
    expect(await restore({ config: [config] })).toBe(0);
    expect(readFileSync(config)).toEqual(original);
  });

  it("stays gone for who names nothing, and for who only asks", async () => {
    rmSync(config);
    expect(await restore({})).toBe(69);
    expect(at.taken().err).toContain(`hint: mcp-secrets restore --config '${config}'`);
    expect(await restore({ config: [config], dryRun: true })).toBe(0);
    expect(existsSync(config)).toBe(false);
  });

  it("and written by somebody meanwhile: that stays", async () => {
    rmSync(config);
    const { files } = at.context;
    const racing = {
      ...files,
      createPrivate: async (path: string, data: Buffer | string) => {
        if (path === config) writeFileSync(config, "{}");
        return files.createPrivate(path, data);
      },
    };
    const context = { ...at.context, files: racing };
    await expect(runRestore(context, { config: [config], yes: true })).rejects.toMatchObject({
      code: "config-changed",
    });
    expect(readFileSync(config, "utf8")).toBe("{}");
  });
});

describe("moved", () => {
  it("comes back where it is, and its old path is named", async () => {
    const moved = join(at.folder, "moved.json");
    renameSync(config, moved);
    expect(await restore({ config: [moved] })).toBe(0);
    expect(at.taken().out).toContain(`as migrate found them in ${config}`);
    expect(readFileSync(moved)).toEqual(original);
    expect(existsSync(config)).toBe(false);
    expect(await restore({})).toBe(0);
    expect(at.taken().out).toMatch(/nothing to restore/);
  });

  it("keeps what was edited since", async () => {
    const moved = join(at.folder, "moved.json");
    renameSync(config, moved);
    writeFileSync(moved, readFileSync(moved, "utf8").replace("// mine", "// mine too"));
    expect(await restore({ config: [moved], json: true })).toBe(0);
    expect(JSON.parse(at.taken().out).configs[0]).toMatchObject({ path: moved, was: config, exact: false });
    expect(readFileSync(moved, "utf8")).toBe(original.toString().replace("// mine", "// mine too"));
  });

  it("a copy comes back, and its original still can", async () => {
    const copy = join(at.folder, "copy.json");
    copyFileSync(config, copy);
    expect(await restore({ config: [copy] })).toBe(0);
    expect(readFileSync(copy)).toEqual(original);
    expect(readFileSync(config, "utf8")).not.toContain("k3J9");
    expect(await restore({ config: [config] })).toBe(0);
    expect(readFileSync(config)).toEqual(original);
  });
});

describe("what was never rewritten", () => {
  it.each(["{}", "not JSON"])("is a mistake of the user: %s", async (text) => {
    const other = join(at.folder, "other.json");
    writeFileSync(other, text);
    await expect(restore({ config: [other] })).rejects.toMatchObject({ code: "usage", exit: 64 });
    await expect(restore({ config: [join(at.folder, "none.json")] })).rejects.toMatchObject({ exit: 64 });
  });

  it("and so is a server that no config has", async () => {
    await expect(restore({ server: ["nope"] })).rejects.toMatchObject({ code: "usage", exit: 64 });
    expect(readFileSync(config, "utf8")).not.toContain("k3J9");
  });

  it("a config that is named twice is listed once", async () => {
    expect(await restore({ config: [config, config] })).toBe(0);
    expect(at.taken().out.match(/restored /g)).toHaveLength(1);
  });
});
