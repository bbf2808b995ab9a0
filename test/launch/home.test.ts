import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFiles } from "../../src/io/files.ts";
import { checkHome, unsafeFolders } from "../../src/launch/home.ts";

const files = createFiles({ platform: process.platform, random: () => "r" });
const uid = process.getuid?.() ?? 0;
let root: string;
let home: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mcps home-"));
  home = join(root, "h");
  for (const folder of [home, join(home, "local"), join(home, "bin")]) mkdirSync(folder, { mode: 0o700 });
});
afterEach(() => rmSync(root, { recursive: true }));

const found = (of = home, who = uid) => unsafeFolders({ files, home: of, uid: who });

test("a private home, one that is not there yet, and a system without such numbers", () => {
  expect(found()).toEqual([]);
  expect(found(join(root, "nowhere"))).toEqual([]);
  chmodSync(home, 0o777);
  expect(found(home, -1)).toEqual([]);
});

test("others may read: a matter for doctor, which does not stop a launch", () => {
  chmodSync(home, 0o755);
  expect(found()).toEqual([]);
});

test.each([".", "local", "bin"])("others may write to %s", (name) => {
  for (const mode of [0o720, 0o702, 0o1777]) {
    chmodSync(join(home, name), mode);
    const path = join(home, name);
    expect(found()).toEqual([{ path, detail: "other users may write to it", hint: `chmod 700 '${path}'` }]);
  }
  expect(() => checkHome({ files, home, uid })).toThrowError(
    expect.objectContaining({ code: "unsafe-environment", exit: 78, hint: `chmod 700 '${join(home, name)}'` }),
  );
});

test("a link is judged by what it leads to", () => {
  symlinkSync(home, join(root, "link"));
  expect(found(join(root, "link"))).toEqual([]);
  chmodSync(home, 0o777);
  expect(found(join(root, "link"))).toMatchObject([{ path: join(root, "link") }]);
});

test("a part that is a link leads to a private folder, or nothing is written", () => {
  const [open, closed, audit] = [join(root, "open"), join(root, "closed"), join(home, "audit")];
  mkdirSync(open, { mode: 0o755 });
  mkdirSync(closed, { mode: 0o700 });
  symlinkSync(closed, audit);
  symlinkSync(join(root, "nowhere"), join(home, "journal"));
  writeFileSync(join(open, "dotfile"), "");
  symlinkSync(join(open, "dotfile"), join(home, "config.jsonc"));
  expect(found()).toEqual([]);
  rmSync(audit);
  symlinkSync(open, audit);
  expect(found()).toEqual([
    {
      path: audit,
      detail: `it is a link to ${open}, which is not private`,
      hint: expect.stringContaining(`rm '${audit}'`),
    },
  ]);
  expect(() => checkHome({ files, home, uid })).toThrowError(expect.objectContaining({ code: "unsafe-environment" }));
});

test("another user owns it", () => {
  const other = uid + 1;
  expect(found(home, other)).toMatchObject([
    {
      path: home,
      detail: `it belongs to another user (uid ${uid}, not ${other})`,
      hint: `sudo chown -R ${other} '${home}'`,
    },
    { path: join(home, "local") },
    { path: join(home, "bin") },
  ]);
});

test.runIf(uid === 0)("root is no exception, and is not told to take the folder away from its owner", async () => {
  const { chownSync } = await import("node:fs");
  chownSync(home, 12_345, 12_345);
  expect(found()).toMatchObject([{ path: home, hint: expect.not.stringContaining("chown") }]);
});
