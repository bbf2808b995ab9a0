import { defineConfig } from "vitest/config";
import manifest from "./package.json" with { type: "json" };

/** Two workers, generous time: the suite starts thousands of processes, and machines that run it are shared. */
export default defineConfig({
  // As the build does.
  define: { VERSION: JSON.stringify(manifest.version) },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/build.ts",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 300_000,
    coverage: { include: ["src/**", "providers/**"] },
  },
});
