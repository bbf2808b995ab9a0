import * as nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createFiles, type FileSystem } from "../../src/io/files.ts";
import { random } from "../helpers/local-store.ts";

const folder = nodeFs.mkdtempSync(join(tmpdir(), "mcps-flush-"));
afterAll(() => nodeFs.rmSync(folder, { recursive: true, force: true }));

/** Counts the flushes of a folder; the last one that ended, by when it began. */
function watching(fail: (flush: number) => boolean = () => false) {
  const folders = new Map<number, string>();
  const flushed = new Map<string, number>();
  let clock = 0;
  let flushes = 0;
  const fs: FileSystem = {
    ...nodeFs,
    openSync: (path, flags, mode) => {
      const fd = nodeFs.openSync(path, flags, mode);
      if (flags === "r") folders.set(fd, String(path));
      else folders.delete(fd);
      return fd;
    },
    fsync: (fd, done) => {
      const path = folders.get(fd);
      const began = (clock += 1);
      if (path === undefined) return nodeFs.fsync(fd, done);
      flushes += 1;
      if (fail(flushes)) return void setTimeout(() => done(Object.assign(new Error("EIO"), { code: "EIO" })), 2);
      return nodeFs.fsync(fd, (error) => {
        flushed.set(path, Math.max(began, flushed.get(path) ?? 0));
        done(error);
      });
    },
  };
  return { fs, tick: () => (clock += 1), flushed, flushes: () => flushes };
}

test("a name is durable when the write ends, though many share a flush", async () => {
  const { fs, tick, flushed, flushes } = watching();
  const placed = new Map<string, number>();
  const linkSync: typeof nodeFs.linkSync = (from, to) => {
    nodeFs.linkSync(from, to);
    placed.set(String(to), tick());
  };
  const files = createFiles({ fs: { ...fs, linkSync }, platform: process.platform, random });
  const paths = Array.from({ length: 120 }, (_, index) => join(folder, `d${index % 3}`, `f${index}`));
  await Promise.all(
    paths.map(async (path) => {
      expect(await files.createPrivate(path, path)).toBe(true);
      expect(flushed.get(dirname(path))).toBeGreaterThan(placed.get(path)!);
    }),
  );
  expect(flushes()).toBeLessThan(120);
});

test("a flush that fails fails those who wait for it, and no later one", async () => {
  const { fs } = watching((flush) => flush === 2);
  const files = createFiles({ fs, platform: process.platform, random });
  const paths = Array.from({ length: 40 }, (_, index) => join(folder, "failing", `f${index}`));
  const settled = await Promise.allSettled(paths.map((path) => files.createPrivate(path, path)));
  const failed = settled.filter(({ status }) => status === "rejected");
  expect(failed.length).toBeGreaterThan(0);
  expect(failed.length).toBeLessThan(40);
  expect(await files.createPrivate(join(folder, "failing", "later"), "x")).toBe(true);
});
