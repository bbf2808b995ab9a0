import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Home, execute, has, makeHome, mcpSecrets } from "../helpers/cli.ts";

/** The scripts in the shells that read them, where those are. */

let home: Home;
beforeAll(() => {
  home = makeHome();
});
afterAll(() => home[Symbol.dispose]());

async function script(shell: string): Promise<string> {
  const { stdout } = await mcpSecrets(["completion", shell], { env: home.env });
  const file = join(home.work, shell);
  writeFileSync(file, stdout);
  return file;
}

async function told(shell: string, args: readonly string[]): Promise<string[]> {
  const { stdout, stderr, code } = await execute(shell, args, { env: home.env, cwd: home.work });
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return stdout.split("\n").filter((line) => line !== "");
}

describe.runIf(has("bash"))("bash", () => {
  const complete = async (...words: string[]) => {
    const list = words.map((word) => `'${word}'`).join(" ");
    const line = `set -u; eval "$(cat '${await script("bash")}')"; COMP_WORDS=(${list}) COMP_CWORD=${words.length - 1}`;
    return told("bash", ["--norc", "-c", `${line}; _mcp_secrets; printf '%s\\n' "\${COMPREPLY[@]-}"`]);
  };

  test("commands, and the options of one", async () => {
    expect(await complete("mcp-secrets", "")).toEqual(expect.arrayContaining(["migrate", "doctor", "run"]));
    expect(await complete("mcp-secrets", "rest")).toEqual(["restore"]);
    expect(await complete("mcp-secrets", "doctor", "--")).toEqual(["--fix", "--json"]);
    expect(await complete("mcp-secrets", "migrate", "--config", "x", "--dr")).toEqual(["--dry-run"]);
    expect(await complete("mcp-secrets", "nosuch", "")).toEqual([]);
  });

  test("it is registered", async () => {
    const line = `. '${await script("bash")}'; complete -p mcp-secrets`;
    expect(await told("bash", ["--norc", "-c", line])).toEqual(["complete -o default -F _mcp_secrets mcp-secrets"]);
  });
});

test.runIf(has("zsh"))("zsh: loads with and without compinit before it", async () => {
  const file = await script("zsh");
  for (const before of ["", "autoload -Uz compinit && compinit -u;"]) {
    const line = `${before} . '${file}'; print -r -- $_comps[mcp-secrets]`;
    expect(await told("zsh", ["-f", "-c", line])).toEqual(["_mcp_secrets"]);
  }
});

test.runIf(has("fish"))("fish", async () => {
  const file = await script("fish");
  const line = `source '${file}'; complete -C 'mcp-secrets doctor --'`;
  const lines = await told("fish", ["--no-config", "-c", line]);
  expect(lines.map((text) => text.split("\t")[0])).toEqual(expect.arrayContaining(["--fix", "--json"]));
});
