import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Home, makeHome, mcpSecrets } from "./helpers/cli.ts";

/** Every command that a message or a page of the documentation tells somebody to run, against what the CLI has. */

interface Command {
  /** By name, whether a value follows. */
  readonly options: ReadonlyMap<string, boolean>;
  /** How many arguments it takes at most. */
  readonly most: number;
  readonly commands: readonly string[];
}

const cli = new Map<string, Command>();

beforeAll(async () => {
  using home = makeHome();
  await read(home, []);
});

async function read(home: Home, path: readonly string[]): Promise<void> {
  const { stdout } = await mcpSecrets([...path, "--help"], { env: home.env });
  const command = parseHelp(stdout);
  cli.set(path.join(" "), command);
  await Promise.all(command.commands.map((name) => read(home, [...path, name])));
}

function parseHelp(help: string): Command {
  const [usage = ""] = help.split("\n");
  const section = (title: string) => help.split(`\n${title}:\n`)[1]?.split("\n\n")[0]?.split("\n") ?? [];
  const options = section("Options").flatMap((line) => {
    const [, name = "", value] = /^ +(?:-\w, )?(--[a-z-]+)( <)?/.exec(line) ?? [];
    return name === "" ? [] : [[name, value !== undefined] as const];
  });
  const rest = usage.split("[options]")[1] ?? "";
  const takes = rest.replace("[command]", "").match(/[<[]\w+(\.\.\.)?[>\]]/g) ?? [];
  const commands = section("Commands").flatMap((line) => /^ {2}([a-z-]+)/.exec(line)?.[1] ?? []);
  const most = takes.some((each) => each.includes("...")) ? Infinity : takes.length;
  return { options: new Map(options), most, commands: commands.filter((name) => name !== "help") };
}

/** What is wrong with the words behind `mcp-secrets`; undefined where they can be typed like that. */
function problemOf(words: readonly string[]): string | undefined {
  let path = "";
  let at = 0;
  while (cli.get(path)?.commands.includes(words[at] ?? "") === true) path = `${path} ${words[at++]}`.trim();
  const command = cli.get(path);
  if (command === undefined) return "no such command";
  // Behind these two words the server's own begin.
  if (path === "run") return undefined;
  let args = 0;
  for (; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word.startsWith("--")) {
      const takes = command.options.get(word.split("=")[0] ?? "");
      if (takes === undefined) return `${path} has no option ${word}`;
      if (takes && !word.includes("=")) at += 1;
    } else if (isArgument(word)) args += 1;
    else if (path === "") return `no command ${word}`;
    else break;
  }
  return args > command.most ? `${path} takes ${command.most} arguments` : undefined;
}

/** What stands for an argument, and is not the sentence that goes on. */
function isArgument(word: string): boolean {
  return /^[A-Z][A-Z0-9_]*$|\/|^'/.test(word);
}

/** Up to where the sentence goes on. */
function wordsOf(text: string): string[] {
  const plain = text
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "VALUE")
    .replaceAll(/mcp-secret:\/\/[^\s"'`;,)]+/g, "REF")
    .replaceAll(/\\\|/g, "|");
  const [command = ""] = plain.split(/["`;,:()#\\]|\. | \| | && | > |\.$/);
  return command
    .split(/\s+/)
    .map((word) => word.replaceAll(/[[\]…]/g, ""))
    .filter((word) => word !== "" && word !== "|");
}

function filesBelow(folder: string, end: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(end))
    .map((name) => join(folder, name));
}

/** Where something begins that looks like a command, with what may follow. */
function mentions(text: string, mark: RegExp): string[] {
  return [...text.matchAll(mark)].map(({ index, 0: found }) => text.slice(index + found.length).split("\n")[0] ?? "");
}

/** Words behind the program's name in sentences about it. */
const PROSE =
  /^(is|has|on|in|of|or|and|that|to|could|cannot|can|knows|does|keeps|made|again|itself|writes|runs|may|needs|installs|finds|shared read)\b/;

const wrongIn = (mark: RegExp, path: string, text: string) =>
  mentions(text, mark).flatMap((rest) => {
    if (PROSE.test(rest)) return [];
    const problem = problemOf(wordsOf(rest));
    return problem === undefined ? [] : [`${path}: mcp-secrets ${rest.slice(0, 80)}: ${problem}`];
  });

describe("what is told to be typed can be typed", () => {
  test("in messages", () => {
    const paths = [...filesBelow("src", ".ts"), ...filesBelow("providers", ".ts")];
    const wrong = paths.flatMap((path) => {
      const lines = readFileSync(path, "utf8").split("\n");
      const code = lines.filter((line) => !/^\s*(\/\/|\/?\*)/.test(line)).join("\n");
      return wrongIn(/(?<![\w/-])mcp-secrets (?=[a-z]|--)/g, path, code);
    });
    expect(wrong).toEqual([]);
  });

  test("in the documentation", () => {
    const pages = ["README.md", "SECURITY.md", "CONTRIBUTING.md", ...filesBelow("docs", ".md")];
    const wrong = pages.flatMap((path) =>
      wrongIn(/(?:`|^)mcp-secrets (?=[a-z]|--)/gm, path, readFileSync(path, "utf8")),
    );
    expect(wrong).toEqual([]);
  });

  test("and what cannot be is seen", () => {
    const told = (text: string) => problemOf(wordsOf(text));
    expect(told('list --store ${store}",')).toBe("list has no option --store");
    expect(told("rotate status mcp-secret://local/a` says more")).toBe("rotate status takes 0 arguments");
    expect(told("lst")).toBe("no command lst");
    expect(told("rotate mcp-secret://local/a mcp-secret://local/b --json; then")).toBeUndefined();
    expect(told("migrate --store ${name} --yes, and then")).toBeUndefined();
    expect(told("get REFERENCE has each value")).toBeUndefined();
    expect(told("set REF twice OTHER")).toBeUndefined();
    expect(told("rm A B")).toBe("rm takes 1 arguments");
  });
});
