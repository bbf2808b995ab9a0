import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { makeHome } from "../helpers/cli.ts";
import { entryOf, migrated } from "../helpers/migrated.ts";

const can = process.platform === "linux" && existsSync("/usr/bin/prlimit");

test.skipIf(!can)("where the system writes core files, a launch turns them off before it reads a secret", async () => {
  const home = makeHome();
  try {
    const server = { command: "cat", args: ["/proc/self/limits"], env: { API_KEY: "k3J9sQ2vXw7Lm4Np8Rt1" } };
    const { command, args, env } = entryOf(await migrated(home, { server }), "server");
    const script = 'ulimit -c unlimited; exec "$0" "$@"';
    const { stdout } = spawnSync("sh", ["-c", script, command, ...args], {
      env: { ...home.env, ...env },
      encoding: "utf8",
      input: "",
    });
    expect(stdout).toMatch(/Max core file size\s+1\s+1\s/);
  } finally {
    home[Symbol.dispose]();
  }
});
