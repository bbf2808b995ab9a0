import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";

/** Waits for a file between two more of its own, and then for ever. */
const WORKER = `
import { existsSync, writeFileSync } from "node:fs";
import { undisturbed } from ${JSON.stringify(join(import.meta.dirname, "../../src/io/signals.ts"))};
const file = (name: string) => process.argv[2] + "/" + name;
const wait = (name: string) => new Promise<void>((done) => {
  const timer = setInterval(() => existsSync(file(name)) && (clearInterval(timer), done()), 10);
});
const work = async () => {
  writeFileSync(file("begun"), "");
  await wait("go");
  writeFileSync(file("done"), "");
};
void undisturbed(work, () => writeFileSync(file("told"), "")).then(() => wait("never"));
`;

test("a signal ends this process when the work is done, and not before", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mcps-signals-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const there = (name: string) => expect.poll(() => existsSync(join(folder, name)), { timeout: 20_000 }).toBe(true);
  const [entry, outfile] = [join(folder, "entry.ts"), join(folder, "worker.cjs")];
  writeFileSync(entry, WORKER);
  await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", logLevel: "error" });
  const child = spawn(process.execPath, [outfile, folder], { stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
  await there("begun");
  child.kill("SIGTERM");
  await there("told");
  child.kill("SIGINT");
  writeFileSync(join(folder, "go"), "");
  expect(await ended).toBe("SIGTERM");
  expect(existsSync(join(folder, "done"))).toBe(true);
});
