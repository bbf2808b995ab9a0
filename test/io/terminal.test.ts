import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, has } from "../helpers/cli.ts";

let folder: string;
let worker: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mcps-terminal-"));
  worker = join(folder, "worker.cjs");
  const entryPoints = [resolve(import.meta.dirname, "terminal-worker.ts")];
  buildSync({ entryPoints, bundle: true, platform: "node", format: "cjs", target: "node20", outfile: worker });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is asked for under a terminal, with `typed` typed at the prompt that it stands under. */
async function answers(typed: Readonly<Record<string, string>>): Promise<unknown> {
  const child = spawn("script", ["-qefc", `'${process.execPath}' '${worker}'`, "/dev/null"], { timeout: 20_000 });
  let seen = "";
  const { "": early = "", ...rest } = typed;
  const waiting = new Map(Object.entries(rest));
  child.stdin.write(early);
  child.stdout.on("data", (chunk: Buffer) => {
    seen += chunk.toString();
    for (const [prompt, text] of waiting) {
      if (!seen.includes(prompt)) continue;
      waiting.delete(prompt);
      child.stdin.write(text);
    }
  });
  const { stdout } = await ended(child);
  return JSON.parse(/\[.*\]/.exec(stdout)?.[0] ?? "null");
}

describe.runIf(has("script"))("at a terminal", () => {
  test.each([
    ["an answer at each prompt", { "one?": "a\r", "two?": "b\r" }],
    ["both at the first", { "one?": "a\rb\r" }],
    ["both before the first", { "": "a\rb\r" }],
    ["one and a half", { "one?": "a\rx\u007f", "two?": "b\r" }],
    ["a pasted text", { "one?": "a\r\nb\r\n" }],
    ["what is erased", { "one?": "xä\u007f\u007fa\r", "two?": "xb\u007f\u007fb\r" }],
  ])("%s", async (_, typed) => {
    expect(await answers(typed)).toEqual(["a", "b"]);
  });

  test("the end of input is no answer", async () => {
    expect(await answers({ "one?": "\u0004", "two?": "b\u0004" })).toEqual([null, "b"]);
  });
});
