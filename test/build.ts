import { spawnSync } from "node:child_process";

/** Builds dist once before the tests, so that those which start the built program never start an old one. */
export function setup(): void {
  const build = spawnSync("npm", ["run", "--silent", "build"], { encoding: "utf8" });
  if (build.status !== 0) process.stderr.write(`dist is not built; tests that start it will fail\n${build.stderr}\n`);
}
