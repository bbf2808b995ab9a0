import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runApprove } from "../../src/commands/approve.ts";
import { realContext } from "../../src/context.ts";
import type { Home } from "./cli.ts";
import { withTerminal } from "./terminal.ts";

/** The user's word, as at a terminal, for every entry of a config that starts through the launcher. */
export async function approveEntries({ home, work }: Pick<Home, "home" | "work">, config: string): Promise<void> {
  const real = realContext();
  const terminal = { ...real.terminal, out: () => {}, err: () => {} };
  const context = {
    ...real,
    env: { HOME: home },
    cwd: work,
    userHome: home,
    home: join(home, ".mcp-secrets"),
    terminal,
  };
  for (const [, id = ""] of readFileSync(config, "utf8").matchAll(/"--entry",\s*"([^"]+)"/g)) {
    await runApprove(withTerminal(context, { typed: ["y"] }), id, { config });
  }
}
