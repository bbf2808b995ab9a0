import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { has } from "./helpers/cli.ts";
import { parseScript, play, splitWords } from "./script.ts";

const FOLDER = join(import.meta.dirname, "scripts");

describe("sessions", () => {
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith(".txtar"))) {
    const script = parseScript(readFileSync(join(FOLDER, name), "utf8"));
    const needsTerminal = script.steps.some(({ text }) => text.startsWith("tty "));
    const skipped = needsTerminal && !has("script");
    test.skipIf(skipped)(skipped ? `${name} (SKIPPED: needs util-linux's script)` : name, () => play(script));
  }
});

describe("the runner itself", () => {
  test("splits words as a shell does", () => {
    const words = splitWords(`cp "a $X" '$X b' c$X'd e'`, (name) => (name === "X" ? "1" : "?"));
    expect(words).toEqual(["cp", "a 1", "$X b", "c1d e"]);
  });

  test.each([
    ["a wrong exit code", "node -e ''\nexit 1"],
    ["a command that fails", "node -e 'process.exit(3)'"],
    ["a command that should have failed", "! node -e ''"],
    ["text that is not there", "node -e 'console.log(1)'\nstdout 2"],
    ["text that should not be there", "node -e 'console.log(1)'\n! stdout 1"],
    ["a missing file", "exists a"],
    ["different files", "cmp a b\n-- a --\n1\n-- b --\n2\n"],
    ["a touched file", `keep a\nnode -e 'require("fs").writeFileSync("a", "1\\n")'\nkept a\n-- a --\n1\n`],
    ["another value", 'json a /x/0 2\n-- a --\n{"x": [1]}\n'],
    ["an unknown step", "sudo x"],
    ["a canary in HOME", "cp a $HOME/a\ncanary hunter22\n-- a --\nx hunter22\n"],
    ["a canary in a named file", "canary hunter22 a\n-- a --\nx hunter22\n"],
    ["a canary in base64", "cp a $TMPDIR/a\ncanary hunter22\n-- a --\nIGh1bnRlcjIyIA==\n"],
    ["a prompt that never comes", "tty Password x\nnode -e ''"],
  ])("notices %s", async (_, text) => {
    await expect(play(parseScript(text))).rejects.toThrow(/line \d/);
  });

  test("types at a prompt", async () => {
    if (!has("script")) return;
    const ask = `process.stdout.write("Name? "); process.stdin.once("data", (d) => { console.log("hi " + d); process.exit(4); })`;
    await play(parseScript(`tty 'Name\\?' Ann\n! node ask.cjs\nexit 4\nstdout 'hi Ann'\n-- ask.cjs --\n${ask}\n`));
  });
});
