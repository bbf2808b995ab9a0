import { expect, test } from "vitest";
import { findCommand, type Probe } from "../../src/launch/command.ts";
import { treeKill, windowsCommand } from "../../src/launch/windows.ts";

function place(platform: NodeJS.Platform, env: Record<string, string>) {
  return { platform, env, userHome: platform === "win32" ? String.raw`C:\Users\u` : "/home/u" };
}

function disk(files: Record<string, "program" | "other">): Probe {
  return (path) => files[path];
}

test.each([
  ["npx", { "/b/npx": "program", "/a/npx": "program" }, { path: "/a/npx" }],
  ["npx", { "/a/npx": "other", "/b/npx": "program" }, { path: "/b/npx" }],
  ["npx", { "/opt/homebrew/bin/npx": "program" }, { path: "/opt/homebrew/bin/npx", added: "/opt/homebrew/bin" }],
  ["uvx", { "/home/u/.local/bin/uvx": "program" }, { path: "/home/u/.local/bin/uvx", added: "/home/u/.local/bin" }],
  ["/x/server", { "/x/server": "program" }, { path: "/x/server" }],
  ["./server", { "./server": "program" }, { path: "./server" }],
  ["./server", { "/a/./server": "program" }, undefined],
  ["server", { server: "program", "./server": "program" }, undefined],
  ["server", { "/a/server": "other" }, "other"],
  ["server", {}, undefined],
] as const)("%s among %o is %o", (command, files, found) => {
  const search = place("linux", { PATH: "/a:/b::.:relative" });
  expect(findCommand(command, search, disk(files))).toEqual(found);
});

test("without a PATH the usual folders are all there is", () => {
  expect(findCommand("true", place("linux", {}), disk({ "/usr/bin/true": "program" }))).toMatchObject({
    path: "/usr/bin/true",
  });
});

test.each([
  ["npx", String.raw`C:\n\npx.cmd`, { path: String.raw`C:\n\npx.cmd` }],
  ["npx.cmd", String.raw`C:\n\npx.cmd`, { path: String.raw`C:\n\npx.cmd` }],
  ["node", String.raw`C:\n\node.exe`, { path: String.raw`C:\n\node.exe` }],
  ["npx", String.raw`C:\r\npm\npx.cmd`, { path: String.raw`C:\r\npm\npx.cmd`, added: String.raw`C:\r\npm` }],
  [String.raw`D:\s\run`, String.raw`D:\s\run.bat`, { path: String.raw`D:\s\run.bat` }],
  ["npx", String.raw`C:\n\npx`, undefined],
] as const)("on Windows %s is found as %s", (command, file, found) => {
  const search = place("win32", { Path: String.raw`C:\n;.`, APPDATA: String.raw`C:\r` });
  expect(findCommand(command, search, disk({ [file]: "program" }))).toEqual(found);
});

test("programs start as they are on Windows, batch files through cmd.exe", () => {
  expect(windowsCommand("node.exe", ["a b"], "cmd.exe")).toEqual({ file: "node.exe", args: ["a b"], verbatim: false });
  const { file, args, verbatim } = windowsCommand(String.raw`C:\a b\npx.CMD`, ["-y", 'x&y "z"', "%PATH%"], "cmd.exe");
  expect([file, verbatim, ...args.slice(0, 3)]).toEqual(["cmd.exe", true, "/d", "/s", "/c"]);
  expect(args[3]).toMatch(/^"\^"C:\\a\^ b\\npx\.CMD\^" .*"$/);
});

test("what cmd.exe reads twice comes out as it went in", () => {
  const args = [
    'a"b',
    String.raw`c\"d`,
    "e&f|g>h<i^j",
    "%PATH%",
    "!x!",
    "",
    String.raw`trailing\ `.trim() + "\\",
    "(x)",
  ];
  const line = windowsCommand("s.cmd", args, "cmd.exe").args[3] ?? "";
  const words = line
    .slice(1, -1)
    .split(/(?<!\^) /)
    .slice(1);
  // Each pass of cmd.exe takes one caret off what it stands before; then CommandLineToArgvW.
  const unescape = (text: string) => text.replace(/\^([^])/g, "$1");
  expect(words.map((word) => argument(unescape(unescape(word))))).toEqual(args);
});

/** Microsoft's rules, read back: 2n backslashes and a quote are n backslashes and the end. */
function argument(text: string): string {
  return text
    .slice(1, -1)
    .replace(/(\\+)$/, (run) => run.slice(run.length / 2))
    .replace(/(\\*)\\"/g, (_, run: string) => {
      return `${run.slice(run.length / 2)}"`;
    });
}

test("a line break cannot go through cmd.exe, and no value is told", () => {
  const refuse = () => windowsCommand("s.cmd", ["x", "secret\nvalue"], "cmd.exe");
  expect(refuse).toThrow("argument 2 of s.cmd holds a line break");
  expect(refuse).not.toThrow("secret");
});

test("a tree is killed by its root", () => {
  expect(treeKill(42, String.raw`C:\Windows`)).toEqual({
    file: String.raw`C:\Windows\System32\taskkill.exe`,
    args: ["/PID", "42", "/T", "/F"],
  });
});
