import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";

/** As it is installed: files of the built program, and no node_modules near them. */
const folder = mkdtempSync(join(tmpdir(), "chunks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Asks the target for a login where nobody listens, and prints the verdict, or the error and its hint. */
const ASK = `
  const [, file, settings] = process.argv;
  const secret = (text) => ({ expose: () => text, equals: () => false });
  const fields = { username: secret("a"), password: secret("b") };
  const ref = { store: "local", path: "x" };
  const { open, ready } = require(file);
  const target = open({ settings: JSON.parse(settings), ref, now: Date.now, random: (n) => new Uint8Array(n) });
  ready().then(() => target.test(fields, { ref, current: fields, deadline: Date.now() + 5000 }))
    .then((verdict) => console.log(JSON.stringify(verdict)), ({ code, hint }) => console.log(JSON.stringify({ code, hint })));`;

const SETTINGS = {
  postgresql: { host: "127.0.0.1", port: 1, database: "x" },
  mysql: { host: "127.0.0.1", port: 1, single: true },
  redis: { host: "127.0.0.1", port: 1 },
};

function ask(file: string, name: keyof typeof SETTINGS): unknown {
  const args = ["-e", ASK, file, JSON.stringify(SETTINGS[name])];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

test.for(["postgresql", "mysql", "redis"] as const)("the chunk of %s has its driver in it", (name) => {
  const file = join(folder, `target-${name}.cjs`);
  copyFileSync(resolve(`dist/target-${name}.cjs`), file);
  expect(ask(file, name)).toMatchObject({ type: "unreachable", reason: expect.stringContaining("ECONNREFUSED") });
});

test.for([
  ["postgresql", "pg"],
  ["mysql", "mysql2"],
  ["redis", "@redis/client"],
] as const)("built without %s, its target says what is missing before anything is begun", async ([name, driver]) => {
  const outfile = join(folder, `without-${name}.cjs`);
  await build({
    entryPoints: [`src/rotate/targets/${name}.ts`],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    external: [driver],
    supported: { "dynamic-import": false },
    logLevel: "silent",
  });
  expect(ask(outfile, name)).toMatchObject({
    code: "config-unsupported",
    hint: expect.stringContaining("--include=optional"),
  });
});
