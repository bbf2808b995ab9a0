import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { runInstallCron } from "../../src/commands/rotate-cron.ts";
import type { Context } from "../../src/context.ts";
import { commandLine, type CronPlace, defaultScheduler, installationOf, withLine } from "../../src/rotate/cron.ts";
import { has } from "../helpers/cli.ts";
import { testContext } from "../helpers/context.ts";

/** A name that is special to cron, shells, XML, systemd and Windows alike. */
const ODD = `it's 100% "of" <a> & $HOME \\ b`;

function odd(): CronPlace & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), "mcps-cron-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const home = join(folder, ODD);
  mkdirSync(home);
  return { folder, home, userHome: folder, command: [join(home, "mcp-secrets")], offset: 7 };
}

/** A program that writes what it was started with. */
function spy(place: CronPlace): string {
  const [program = ""] = place.command;
  const seen = join(place.userHome, "seen");
  writeFileSync(program, `#!/bin/sh\nprintf '%s|' "$MCPS_HOME" "$@" > '${seen}'\n`);
  chmodSync(program, 0o755);
  return seen;
}

/** What cron makes of a line: behind the five times, \`\\%\` is a percent sign and \`%\` the end. */
function asCron(line: string): string {
  const command = line.split(" ").slice(5).join(" ");
  return (/^(?:\\.|[^%\\])*/s.exec(command)?.[0] ?? "").replaceAll(String.raw`\%`, "%");
}

test("a crontab line starts the program with its home, whatever their names hold", () => {
  const place = odd();
  const seen = spy(place);
  const { crontab = "" } = installationOf("crontab", place);
  expect(crontab).toMatch(/^7,22,37,52 \* \* \* \* /);
  execFileSync("/bin/sh", ["-c", asCron(crontab)], { env: {} });
  expect(readFileSync(seen, "utf8")).toBe(`${place.home}|rotate|--due|`);
});

test("a crontab keeps every line of others, and has ours once", () => {
  const line = installationOf("crontab", { ...odd(), offset: 1 }).crontab ?? "";
  const others = "MAILTO=me\n\n# a comment\n0 5 * * * backup\n";
  const once = withLine(others, line);
  expect(once).toBe(`${others}${line}\n`);
  expect(withLine(once, line)).toBe(once);
  expect(withLine("", line)).toBe(`${line}\n`);
});

test("a property list is read back as it was meant", ({ skip }) => {
  if (!has("python3")) return skip("SKIPPED: no python3 here");
  const place = odd();
  const [file] = installationOf("launchd", place).files;
  const read = "import plistlib,json,sys;p=plistlib.loads(sys.stdin.buffer.read());print(json.dumps(p))";
  const plist = JSON.parse(execFileSync("python3", ["-c", read], { input: file?.text, encoding: "utf8" }));
  expect(plist).toMatchObject({
    ProgramArguments: [...place.command, "rotate", "--due"],
    EnvironmentVariables: { MCPS_HOME: place.home },
    StartInterval: 900,
  });
});

test("a systemd service and its timer are what systemd takes", ({ skip }) => {
  if (!has("systemd-analyze")) return skip("SKIPPED: no systemd-analyze here");
  const place = odd();
  spy(place);
  const paths = installationOf("systemd", place).files.map(({ path, text }) => {
    const at = join(place.folder, path.slice(path.lastIndexOf("/") + 1));
    writeFileSync(at, text);
    return at;
  });
  const { stderr } = spawnSync("systemd-analyze", ["verify", "--user", ...paths], {
    encoding: "utf8",
    env: { ...process.env, XDG_RUNTIME_DIR: place.folder },
  });
  expect(stderr).not.toMatch(/mcp-secrets-rotate\.(service|timer):\d+/);
  expect(stderr).not.toMatch(/not executable|Failed to/);
});

test("systemd's quoting: percent and dollar signs are doubled, in a variable the dollar is not", () => {
  const { files } = installationOf("systemd", odd());
  const text = files[0]?.text ?? "";
  expect(text).toContain(String.raw`/it's 100%% \"of\" <a> & $$HOME \\ b/mcp-secrets" rotate --due`);
  expect(text).toContain(String.raw`/it's 100%% \"of\" <a> & $HOME \\ b"`);
});

test("Windows: the line of the task is one argument, quoted once for it and once for the shell", () => {
  const command = [
    String.raw`C:\Program Files\nodejs\node.exe`,
    String.raw`C:\Users\u\.mcp-secrets\bin\mcp-secrets.cjs`,
  ];
  const { commands } = installationOf("schtasks", { command, home: "", userHome: "", offset: 0 });
  const task = String.raw`"C:\Program Files\nodejs\node.exe" C:\Users\u\.mcp-secrets\bin\mcp-secrets.cjs rotate --due`;
  expect(commands[0]?.at(-1)).toBe(task);
  expect(commandLine(["a b\\", `say "x"`], "win32")).toBe(String.raw`"a b\\" "say \"x\""`);
});

test.each([
  ["linux", "crontab"],
  ["freebsd", "crontab"],
  ["darwin", "launchd"],
  ["win32", "schtasks"],
] as const)("%s has %s", (platform, scheduler) => {
  expect(defaultScheduler(platform)).toBe(scheduler);
});

describe("install-cron", () => {
  /** A context that plays crontab(1), systemctl(1) and launchctl(1). */
  function desk(table: { text: string | undefined }, fails: readonly string[] = []) {
    const world = testContext();
    onTestFinished(() => world[Symbol.dispose]());
    const ran: string[] = [];
    const run: Context["run"] = async (command, args, timeout, env) => {
      if (!["crontab", "systemctl", "launchctl"].includes(command))
        return world.context.run(command, args, timeout, env);
      ran.push([command, ...args].join(" "));
      const [first = ""] = args;
      if (fails.includes(first)) return { stdout: "", stderr: "no such luck", exit: 1 };
      if (command === "crontab" && first === "-l") {
        if (table.text === undefined) return { stdout: "", stderr: "no crontab for u", exit: 1 };
        return { stdout: table.text, stderr: "", exit: 0 };
      }
      if (command === "crontab") table.text = readFileSync(first, "utf8");
      return { stdout: "", stderr: "", exit: 0 };
    };
    return { ...world, context: { ...world.context, run }, ran };
  }

  test("prints, and with --write installs: again and again the same", async () => {
    const table: { text: string | undefined } = { text: undefined };
    const { context, taken } = desk(table);
    const linux: Context = { ...context, platform: "linux" };
    expect(await runInstallCron(linux, {})).toBe(0);
    const { out: line, err } = taken();
    expect(table.text).toBeUndefined();
    // Before the first migrate there is no launcher that the line could start.
    expect(err).toMatch(
      /bin\/mcp-secrets is not there yet\n.*hint: mcp-secrets rotate install-cron --write makes it too/,
    );
    expect(await runInstallCron(linux, { write: true })).toBe(0);
    expect(table.text).toBe(line);
    taken();
    expect(await runInstallCron(linux, { json: true })).toBe(0);
    expect(taken().err).toBe("");
    table.text = `0 5 * * * backup\n${line}`;
    expect(await runInstallCron(linux, { write: true })).toBe(0);
    expect(table.text).toBe(`0 5 * * * backup\n${line}`);
  });

  test("systemd and launchd get their files", async () => {
    const { context, ran, folder } = desk({ text: undefined });
    expect(await runInstallCron(context, { for: "systemd", write: true })).toBe(0);
    expect(readFileSync(join(folder, ".config/systemd/user/mcp-secrets-rotate.timer"), "utf8")).toContain("OnCalendar");
    expect(await runInstallCron(context, { for: "launchd", write: true })).toBe(0);
    expect(ran.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      "systemctl --user daemon-reload",
      "systemctl --user enable",
      expect.stringMatching(/^launchctl unload/),
      "launchctl load -w",
    ]);
  });

  test("what the system refuses is told; a table that cannot be read is not written over", async () => {
    const table = { text: "0 5 * * * backup\n" };
    const { context } = desk(table, ["-l", "--user"]);
    await expect(runInstallCron(context, { for: "crontab", write: true })).rejects.toThrow(
      "crontab -l failed: no such luck",
    );
    await expect(runInstallCron(context, { for: "systemd", write: true })).rejects.toThrow(
      "systemctl --user daemon-reload",
    );
    expect(table.text).toBe("0 5 * * * backup\n");
    await expect(runInstallCron(context, { for: "at" })).rejects.toThrow("no scheduler is called at");
    const evil = { ...context, home: `${context.home}\n* * * * * evil` };
    await expect(runInstallCron(evil, {})).rejects.toThrow("control character");
  });
});
