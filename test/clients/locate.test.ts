import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { candidates, locateConfigs, placeOf } from "../../src/clients/locate.ts";
import type { Machine } from "../../src/clients/locate.ts";
import { clients } from "../../src/clients/table.ts";
import type { ClientRow } from "../../src/clients/table.ts";
import type { Files } from "../../src/core/files.ts";
import { createFiles } from "../../src/io/files.ts";

let home: string;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "mcps-locate-")));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const machine = (overrides: Partial<Machine> = {}): Machine => ({
  platform: "linux",
  env: {},
  userHome: home,
  cwd: home,
  files: createFiles({ platform: "linux", random: () => "r" }),
  ...overrides,
});

function put(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "{}");
  return path;
}

const digits = (path: string) => createHash("sha256").update(path).digest("hex").slice(0, 8);

describe("Claude Desktop", () => {
  test("on Linux", () => {
    expect(locateConfigs(machine())).toEqual([]);
    const path = put(join(home, ".config/Claude/claude_desktop_config.json"));
    expect(locateConfigs(machine())).toMatchObject([{ path, id: "claude-desktop", row: { rewritesConfig: true } }]);
  });

  test("on macOS", () => {
    const path = put(join(home, "Library/Application Support/Claude/claude_desktop_config.json"));
    expect(locateConfigs(machine({ platform: "darwin" }))).toMatchObject([{ path, id: "claude-desktop" }]);
  });

  test("on Windows, the Store package first, each with an id of its own", () => {
    const local = "C:\\Users\\u\\AppData\\Local";
    const store = `${local}\\Packages\\Claude_pzs8sxrjxfjjc\\LocalCache\\Roaming\\Claude\\claude_desktop_config.json`;
    const roaming = "C:\\Users\\u\\AppData\\Roaming\\Claude\\claude_desktop_config.json";
    const env = { LOCALAPPDATA: local, APPDATA: "C:\\Users\\u\\AppData\\Roaming" };
    const folders = { [`${local}\\Packages`]: ["Claude_pzs8sxrjxfjjc", "Microsoft.Paint_8wekyb3d8bbwe", "claude_"] };
    const windows = (...paths: string[]) => machine({ platform: "win32", env, files: fakeFiles(paths, folders) });
    expect(locateConfigs(windows(store)).map(({ path, id }) => [path, id])).toEqual([[store, "claude-desktop"]]);
    expect(locateConfigs(windows(roaming)).map(({ path, id }) => [path, id])).toEqual([[roaming, "claude-desktop"]]);
    expect(locateConfigs(windows(roaming, store)).map(({ path, id }) => [path, id])).toEqual([
      [store, `claude-desktop@${digits(store)}`],
      [roaming, `claude-desktop@${digits(roaming)}`],
    ]);
    expect(placeOf(windows(roaming, store), roaming).id).toBe(`claude-desktop@${digits(roaming)}`);
  });

  test("a variable that is not set gives no path", () => {
    const row = clients[0] as ClientRow;
    expect(candidates(row, machine({ platform: "win32", env: { APPDATA: "" } }))).toEqual([]);
    expect(candidates(row, machine({ platform: "aix" }))).toEqual([]);
  });
});

describe("a config that the user names", () => {
  test("belongs to the client whose path it is, also through a link", () => {
    const path = put(join(home, ".config/Claude/claude_desktop_config.json"));
    symlinkSync(path, join(home, "mine.json"));
    expect(placeOf(machine(), ".config/Claude/claude_desktop_config.json").id).toBe("claude-desktop");
    expect(placeOf(machine(), "mine.json")).toMatchObject({ path, id: "claude-desktop" });
  });

  test("is custom otherwise, with the digits of its real path", () => {
    const path = put(join(home, "claude_desktop_config.json"));
    symlinkSync(path, join(home, "link.json"));
    const id = `custom@${digits(path)}`;
    expect(placeOf(machine(), "claude_desktop_config.json")).toMatchObject({ path, id, row: { id: "custom" } });
    expect(placeOf(machine(), "./link.json")).toMatchObject({ path: join(home, "link.json"), id });
    expect(placeOf(machine(), "none.json")).toMatchObject({ path: join(home, "none.json") });
  });

  test("a link that leads nowhere is a path like others", () => {
    symlinkSync(join(home, "gone"), join(home, "dangling.json"));
    expect(placeOf(machine(), "dangling.json").path).toBe(join(home, "dangling.json"));
  });
});

/** Windows paths cannot be had here: only what is asked of the files while locating. */
function fakeFiles(paths: readonly string[], folders: Readonly<Record<string, readonly string[]>>): Files {
  const real = createFiles({ platform: "linux", random: () => "r" });
  const found = real.identify(home);
  return {
    ...real,
    look: (path) => (paths.includes(path) ? { ...found, kind: "file" } : undefined),
    list: (path) => [...(folders[path] ?? [])],
    realpath: (path) => path,
  };
}
