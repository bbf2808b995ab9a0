import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseRef } from "../../src/core/ref.ts";
import { createFiles } from "../../src/io/files.ts";
import { createLock } from "../../src/io/locks.ts";
import {
  clearMarks,
  isOver,
  isReplaced,
  markExposed,
  markReplaced,
  markRotated,
  moveMarks,
  readMarks,
  type Rotated,
} from "../../src/rotate/marks.ts";
import { random } from "../helpers/local-store.ts";

const ref = parseRef("mcp-secret://local/mail/TOKEN");
const key = "mcp-secret://local/mail/TOKEN";
const place = (config: string) => ({ config, client: "custom", server: "mail" });
const NOW = Date.parse("2026-11-25T10:00Z");

function home() {
  const folder = mkdtempSync(join(tmpdir(), "mcps-marks-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const lock = createLock({ pid: process.pid, now: Date.now, random });
  return { home: folder, lock, files: createFiles({ platform: process.platform, random }) };
}

test("what was found is marked since it was first found, with every place", async () => {
  const at = home();
  await markExposed(at, [{ ref, version: 1, places: [place("/a")] }], NOW);
  await markExposed(at, [{ ref: { ...ref, field: "value" }, version: 1, places: [place("/b"), place("/a")] }], NOW + 1);
  expect([...readMarks(at)]).toEqual([
    [key, { since: "2026-11-25T10:00:00.000Z", version: 1, places: [place("/a"), place("/b")] }],
  ]);
  expect(statSync(join(at.home, "rotation", "exposed.json")).mode & 0o777).toBe(0o600);
});

test("a value stored by hand makes it a reminder, the same value does not", async () => {
  const at = home();
  await markExposed(at, [{ ref, version: 1, places: [place("/a")] }], NOW);
  await markReplaced(at, { ref, version: 2, changed: false }, NOW);
  const same = readMarks(at).get(key);
  expect(same).toMatchObject({ version: 2 });
  expect(same && isReplaced(same, 2)).toBe(false);
  await markReplaced(at, { ref, version: 3, changed: true }, NOW);
  const other = readMarks(at).get(key);
  expect(other).toMatchObject({ version: 3, replaced: "2026-11-25T10:00:00.000Z", places: [place("/a")] });
  expect(other && isReplaced(other, 3)).toBe(true);
  expect(await clearMarks(at, ref)).toBe(true);
  expect(readMarks(at).size).toBe(0);
  expect(await clearMarks(at, ref)).toBe(false);
});

test("another field that is stored leaves the mark what it is", async () => {
  const at = home();
  const password = { ...ref, field: "password" };
  await markExposed(at, [{ ref: password, version: 1, places: [] }], NOW);
  await markReplaced(at, { ref, version: 2, changed: true }, NOW);
  expect([...readMarks(at)]).toEqual([[`${key}#password`, expect.objectContaining({ version: 2 })]]);
  const mark = readMarks(at).get(`${key}#password`);
  expect(mark && isReplaced(mark, 2)).toBe(false);
  expect(mark && isReplaced(mark, 3)).toBe(true);
});

test("what was replaced and is found in plaintext again is exposed again", async () => {
  const at = home();
  await markExposed(at, [{ ref, version: 1, places: [place("/a")] }], NOW);
  await markReplaced(at, { ref, version: 2, changed: true }, NOW);
  expect(readMarks(at).get(key)?.replaced).toBeDefined();
  await markExposed(at, [{ ref, version: 2, places: [place("/b")] }], NOW + 1000);
  expect(readMarks(at).get(key)).toEqual({ since: "2026-11-25T10:00:01.000Z", version: 2, places: [place("/b")] });
});

describe("a rotation", () => {
  const rotated = (more: Partial<Rotated>): Rotated => {
    return { ref, version: 2, isChanged: () => true, old: "ended", oldAlone: false, ...more };
  };
  async function exposed() {
    const at = home();
    await markExposed(at, [{ ref, version: 1, places: [place("/a")] }], NOW);
    const after = async (more: Partial<Rotated>) => {
      await markRotated(at, rotated(more), NOW);
      return readMarks(at).get(key);
    };
    return { at, after };
  }

  test("that has ended the old value takes the mark away", async () => {
    const { after } = await exposed();
    expect(await after({})).toBeUndefined();
  });

  test("that waits for the old value's end keeps it, and so does one whose user keeps its password", async () => {
    const { after } = await exposed();
    expect(await after({ old: "grace" })).toMatchObject({ version: 2, ending: "grace", replaced: expect.any(String) });
    // The same rotation, looked at again.
    expect(await after({ old: "grace" })).toMatchObject({ ending: "grace" });
    expect(await after({})).toBeUndefined();

    const { after: turns } = await exposed();
    expect(await turns({ old: "turn" })).toMatchObject({ version: 2, ending: "turn" });
    expect(await turns({ old: "turn" })).toMatchObject({ version: 2, ending: "turn" });
    expect(await turns({ old: "turn", version: 3 })).toBeUndefined();
  });

  test("that left the field as it was leaves the mark what it is", async () => {
    const { after } = await exposed();
    const mark = await after({ isChanged: () => false });
    expect(mark).toEqual({ since: "2026-11-25T10:00:00.000Z", version: 2, places: [place("/a")] });
    expect(mark && isReplaced(mark, 2)).toBe(false);
  });

  test("of a key that a person had replaced ends that one, and not the one before it", async () => {
    const { at, after } = await exposed();
    await markReplaced(at, { ref, version: 2, changed: true }, NOW);
    expect(await after({ version: 3, oldAlone: true })).toMatchObject({ version: 3, replaced: expect.any(String) });
    expect(await after({ version: 4 })).toBeUndefined();
  });

  test("and a password stored by hand after it: whose turn it is nobody knows", async () => {
    const { at, after } = await exposed();
    await after({ old: "turn" });
    await markReplaced(at, { ref, version: 3, changed: true }, NOW);
    expect(readMarks(at).get(key)).not.toHaveProperty("ending");
    expect(await after({ old: "turn", version: 4 })).toMatchObject({ version: 4, ending: "turn" });
  });

  test.each([
    ["grace", 2, "over", true],
    ["grace", 2, "promoted", false],
    ["grace", 3, "promoted", true],
    ["grace", 1, "over", false],
    ["turn", 2, "over", false],
    ["turn", 3, "over", true],
    [undefined, 3, "over", false],
    ["turn", undefined, "over", false],
  ] as const)("%s, and version %s is %s: over is %s", (ending, version, how, over) => {
    const mark = { since: "", version: 2, places: [], ...(ending && { ending }) };
    expect(isOver(mark, version, how)).toBe(over);
  });
});

test("marks go with a secret to another store, each of its fields, without the version that the old store counted", async () => {
  const at = home();
  const password = { ...ref, field: "password" };
  const other = parseRef("mcp-secret://local/mail/TOKEN-2");
  await markExposed(
    at,
    [ref, password, other].map((each) => ({ ref: each, version: 4, places: [place("/a")] })),
    NOW,
  );
  await markReplaced(at, { ref: password, version: 5, changed: true }, NOW + 1000);
  const to = parseRef("mcp-secret://team/kv/mail/TOKEN");
  await moveMarks(at, [{ from: ref, to }]);
  const marks = readMarks(at);
  const since = "2026-11-25T10:00:00.000Z";
  expect(Object.fromEntries(marks)).toEqual({
    "mcp-secret://team/kv/mail/TOKEN": { since, places: [place("/a")] },
    "mcp-secret://team/kv/mail/TOKEN#password": { since, places: [place("/a")], replaced: "2026-11-25T10:00:01.000Z" },
    "mcp-secret://local/mail/TOKEN-2": { since, version: 4, places: [place("/a")] },
  });
  // Of the new store no version is known yet: whatever it has is the value that was exposed.
  const exposed = marks.get("mcp-secret://team/kv/mail/TOKEN");
  expect(exposed && isReplaced(exposed, 1)).toBe(false);
});

test("two that change places keep each its own mark, and a move of what has none writes nothing", async () => {
  const at = home();
  const [a, b] = [parseRef("mcp-secret://local/a"), parseRef("mcp-secret://team/kv/a")];
  await moveMarks(at, [{ from: a, to: b }]);
  expect(existsSync(join(at.home, "rotation"))).toBe(false);
  await markExposed(at, [{ ref: a, places: [place("/a")] }], NOW);
  await markExposed(at, [{ ref: b, places: [place("/b")] }], NOW);
  await moveMarks(at, [
    { from: a, to: b },
    { from: b, to: a },
  ]);
  expect(Object.fromEntries(readMarks(at))).toMatchObject({
    "mcp-secret://local/a": { places: [place("/b")] },
    "mcp-secret://team/kv/a": { places: [place("/a")] },
  });
});

test("without a mark nothing is written ", async () => {
  const at = home();
  await markReplaced(at, { ref, version: 2, changed: true }, NOW);
  await markExposed(at, [], NOW);
  expect(existsSync(join(at.home, "rotation"))).toBe(false);
});

test("marks made at the same time are all there", async () => {
  const at = home();
  const names = Array.from({ length: 20 }, (_, number) => `mcp-secret://local/s${number}/TOKEN`);
  await Promise.all(names.map((name) => markExposed(at, [{ ref: parseRef(name), places: [] }], NOW)));
  expect([...readMarks(at).keys()].toSorted()).toEqual(names.toSorted());
});

test.each(["", "{}", `{"v":2,"secrets":{}}`, `{"v":1,"secrets":{"${key}":{"since":"x","places":[]}}}`])(
  "a damaged file is an error and not an empty one: %s",
  async (text) => {
    const at = home();
    mkdirSync(join(at.home, "rotation"));
    writeFileSync(join(at.home, "rotation", "exposed.json"), text);
    expect(() => readMarks(at)).toThrow("is damaged");
    await expect(markExposed(at, [{ ref, places: [] }], NOW)).rejects.toThrow("is damaged");
  },
);
