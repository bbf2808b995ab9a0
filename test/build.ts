import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const DIST = resolve("dist");
/** The copy of Node and the snapshot that the launcher starts from (src/launch/fast.ts). */
const FAST = /^[nb][0-9a-z]{4}$/;

/**
 * Builds dist once before the tests, so that those which start the built program never start an old one. What every
 * home would make for itself is made once, too, and linked into each (100 MB and half a second).
 */
export function setup(): void {
  const build = spawnSync("npm", ["run", "--silent", "build"], { encoding: "utf8" });
  if (build.status !== 0) process.stderr.write(`dist is not built; tests that start it will fail\n${build.stderr}\n`);
  const home = mkdtempSync(join(tmpdir(), "mcps-build-"));
  try {
    const env = { HOME: home, PATH: process.env["PATH"] };
    const config = join(home, "config.json");
    writeFileSync(config, CONFIG);
    spawnSync(process.execPath, [join(DIST, "launcher.cjs"), "migrate", "--config", config, "--yes"], { env });
    const bin = join(home, ".mcp-secrets/bin");
    const made = readdirSync(bin).filter((name) => FAST.test(name));
    for (const name of readdirSync(DIST)) if (FAST.test(name) && !made.includes(name)) rmSync(join(DIST, name));
    for (const name of made) copyFileSync(join(bin, name), join(DIST, name));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

const CONFIG = JSON.stringify({
  mcpServers: { build: { command: "true", env: { API_KEY: "sk-live-4f8a1b0c7d2e-build" } } },
});
