import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

/** Git ignores it; what stands in it was installed by the tests and benches themselves. */
const CACHE = resolve(import.meta.dirname, "../../.cache");

/**
 * The folder `.cache/NAME`, filled by `fill` the first time. Filled beside its place and renamed, so that two test
 * workers, or a kill, never leave half of it. undefined where `fill` returns false.
 */
export function cached(name: string, fill: (folder: string) => boolean): string | undefined {
  const place = join(CACHE, name);
  if (existsSync(place)) return place;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, `filling-${name}-`));
  try {
    if (!fill(folder)) return undefined;
    // A server program may have to run as another user.
    chmodSync(folder, 0o755);
    if (!existsSync(place)) renameSync(folder, place);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return place;
}

/** The folder that holds `node_modules` with these packages (`NAME@VERSION`); undefined where npm cannot install them. */
export function npmPackages(name: string, packages: readonly string[]): string | undefined {
  return cached(name, (folder) => {
    const options = ["--engine-strict=false", "--no-audit", "--no-fund", "--loglevel=error"];
    return succeeds("npm", ["install", "--prefix", folder, ...options, ...packages]);
  });
}

/** The folder in which Python finds these packages (`NAME==VERSION`, as PYTHONPATH); undefined where pip cannot. */
export function pythonPackages(name: string, packages: readonly string[]): string | undefined {
  return cached(name, (folder) => {
    const options = ["-q", "--disable-pip-version-check", "--only-binary", ":all:", "--no-compile"];
    const install = ["-m", "pip", "install", ...options, "--target", folder, ...packages];
    if (succeeds("python3", install)) return true;
    // A system Python without pip, or one that forbids it: its venv has one.
    const venv = `${folder}.venv`;
    try {
      return succeeds("python3", ["-m", "venv", venv]) && succeeds(join(venv, "bin/python"), install);
    } finally {
      rmSync(venv, { recursive: true, force: true });
    }
  });
}

function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: ["ignore", "ignore", "inherit"], timeout: 240_000 }).status === 0;
}
