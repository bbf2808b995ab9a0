import type { TargetModule } from "../target.ts";

/** The targets by the names that `config.jsonc` knows; each is loaded only for a secret that names it. */
export const targets = {
  "aws-iam": () => import("./aws-iam.ts"),
  command: () => import("./command.ts"),
  human: () => import("./human.ts"),
  native: () => import("./native.ts"),
  vendor: () => import("./vendor.ts"),
  // Chunks of their own, dist/target-….cjs: each has a driver in it.
  postgresql: () => import("#target-postgresql"),
  mysql: () => import("#target-mysql"),
  redis: () => import("#target-redis"),
} satisfies Record<string, () => Promise<TargetModule>>;
