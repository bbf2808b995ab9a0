import * as nodeFs from "node:fs";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createFiles, type FileSystem } from "../../src/io/files.ts";
import { failAt, fullAfter } from "../helpers/faults.ts";

let folder: string;
beforeEach(() => (folder = nodeFs.realpathSync(mkdtempSync(join(tmpdir(), "mcps-replaceable-")))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const filesOver = (fs: FileSystem = nodeFs) => createFiles({ fs, platform: process.platform, random: () => "r" });

test("a look changes nothing, and follows links", () => {
  mkdirSync(join(folder, "real"));
  writeFileSync(join(folder, "real", "c.json"), "{}");
  nodeFs.symlinkSync(join(folder, "real", "c.json"), join(folder, "link.json"));
  filesOver().checkReplace(join(folder, "link.json"), 10);
  expect(readdirSync(join(folder, "real"))).toEqual(["c.json"]);
  expect(() => filesOver().checkReplace(join(folder, "none.json"), 10)).toThrow(/ENOENT/);
});

test("no room is known before a write", () => {
  writeFileSync(join(folder, "c.json"), "{}");
  expect(() => filesOver().checkReplace(join(folder, "c.json"), Number.MAX_SAFE_INTEGER)).toThrow(
    expect.objectContaining({ code: "ENOSPC", path: folder }),
  );
});

test.runIf(process.getuid?.() === 0)("in a sticky folder another user's file stays", () => {
  const path = join(folder, "c.json");
  writeFileSync(path, "{}");
  chmodSync(folder, 0o1777);
  const asNobody = vi.spyOn(process, "getuid").mockReturnValue(65_534);
  try {
    expect(() => filesOver().checkReplace(path, 2)).toThrow(expect.objectContaining({ code: "EPERM" }));
    nodeFs.chownSync(path, 65_534, 65_534);
    filesOver().checkReplace(path, 2);
  } finally {
    asNobody.mockRestore();
  }
});

test("what the system refuses of a new file is told with its folder", async () => {
  const refused = expect.objectContaining({ code: "ENOSPC", path: folder, message: expect.stringContaining(folder) });
  const path = join(folder, "note");
  await expect(filesOver(fullAfter(10).fs).writePrivate(path, "x".repeat(100))).rejects.toEqual(refused);
  await expect(filesOver(failAt({ at: 1, code: "ENOSPC" }).fs).writePrivate(path, "x")).rejects.toMatchObject({
    code: "ENOSPC",
    path: folder,
  });
  expect(readdirSync(folder)).toEqual([]);
});
