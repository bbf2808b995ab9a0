import * as nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFiles, TEMPORARY } from "../../src/io/files.ts";

const OLD = Buffer.from("old bytes\n");
const NEW = Buffer.from("new bytes, longer than the old\n");

let folder: string;
let config: string;

beforeEach(() => {
  folder = nodeFs.mkdtempSync(join(tmpdir(), "mcps-replace-"));
  config = join(folder, "config.json");
  nodeFs.writeFileSync(config, OLD, { mode: 0o640 });
});

afterEach(() => {
  nodeFs.rmSync(folder, { recursive: true, force: true });
});

let count = 0;
/** Files whose file system runs `before` before every call. */
function filesWith(before: (call: string) => void) {
  const fs = { ...nodeFs };
  for (const name of ["openSync", "writeSync", "fsync", "fchmodSync", "renameSync", "statSync", "closeSync"] as const) {
    const real = nodeFs[name] as (...args: unknown[]) => unknown;
    Object.assign(fs, {
      [name]: (...args: unknown[]) => {
        before(name);
        return real(...args);
      },
    });
  }
  return createFiles({ fs, platform: process.platform, random: () => `r${(count += 1)}` });
}

const plain = () => filesWith(() => {});

describe("replace", () => {
  it("writes the new bytes and keeps the mode", async () => {
    expect(await plain().replace(config, NEW, OLD)).toEqual({ done: true });
    expect(nodeFs.readFileSync(config)).toEqual(NEW);
    expect(nodeFs.statSync(config).mode & 0o777).toBe(0o640);
    expect(nodeFs.readdirSync(folder)).toEqual(["config.json"]);
  });

  it("follows links and leaves them links", async () => {
    nodeFs.symlinkSync("config.json", join(folder, "one"));
    nodeFs.symlinkSync("one", join(folder, "two"));
    await plain().replace(join(folder, "two"), NEW, OLD);
    expect(nodeFs.readFileSync(config)).toEqual(NEW);
    expect(nodeFs.readlinkSync(join(folder, "two"))).toBe("one");
  });

  it("does nothing to a file that does not hold what was expected", async () => {
    expect(await plain().replace(config, NEW, Buffer.from("other"))).toEqual({ done: false });
    expect(nodeFs.readFileSync(config)).toEqual(OLD);
    expect(nodeFs.readdirSync(folder)).toEqual(["config.json"]);
  });

  it("is not led astray by a link in place of its temporary file", async () => {
    const victim = join(folder, "victim");
    nodeFs.writeFileSync(victim, "mine");
    const files = createFiles({ platform: process.platform, random: () => "planted" });
    nodeFs.symlinkSync(victim, join(folder, `${TEMPORARY}planted`));
    await expect(files.replace(config, NEW, OLD)).rejects.toThrow(/EEXIST/);
    expect(nodeFs.readFileSync(victim, "utf8")).toBe("mine");
    expect(nodeFs.readFileSync(config)).toEqual(OLD);
  });
});

describe("replace, failing at its k-th call", () => {
  it("leaves the old bytes or the new ones, and no temporary file", async () => {
    for (let k = 1; ; k += 1) {
      nodeFs.writeFileSync(config, OLD);
      let calls = 0;
      const files = filesWith(() => {
        calls += 1;
        if (calls === k) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      });
      const done = await files.replace(config, NEW, OLD).then(
        () => true,
        () => false,
      );
      const now = nodeFs.readFileSync(config);
      expect(now.equals(OLD) || now.equals(NEW), `call ${k}`).toBe(true);
      expect(nodeFs.readdirSync(folder), `call ${k}`).toEqual(["config.json"]);
      if (done) break;
      expect(k).toBeLessThan(100);
    }
  });
});

describe("another writer at any moment", () => {
  const THEIRS = Buffer.from("what the client wrote\n");
  const writers = {
    "in place": () => nodeFs.writeFileSync(config, THEIRS),
    "by rename": () => {
      nodeFs.writeFileSync(join(folder, "theirs"), THEIRS);
      nodeFs.renameSync(join(folder, "theirs"), config);
    },
  };

  // The one moment that no file system closes is between the last look and the rename: `statSync` is that look.
  it.each(Object.entries(writers))("%s is never lost", async (_, write) => {
    for (let k = 1; ; k += 1) {
      nodeFs.writeFileSync(config, OLD);
      let calls = 0;
      let wrote = false;
      let looked = false;
      let renamed = false;
      const files = filesWith((name) => {
        calls += 1;
        if (calls === k && !(looked && name === "renameSync" && write === writers["by rename"])) {
          write();
          wrote = true;
        }
        looked ||= name === "statSync";
        renamed ||= name === "renameSync";
      });
      const replaced = await files.replace(config, NEW, OLD);
      if (!wrote && calls < k) break;
      if (!wrote) continue;
      const now = nodeFs.readFileSync(config);
      const lost = replaced.done ? replaced.lost : undefined;
      expect(now.equals(THEIRS) || lost?.equals(THEIRS) === true, `call ${k}`).toBe(true);
    }
  });
});
