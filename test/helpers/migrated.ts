import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { approveEntries } from "./approve.ts";
import { type Home, mcpSecrets } from "./cli.ts";

/** A stdio entry of a config, as a client reads it. */
export interface ServerEntry {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

/** Writes a config with `servers` into the working folder, migrates and approves it, and returns the entries as they are then. */
export async function migrated(
  home: Home,
  servers: Readonly<Record<string, object>>,
): Promise<Readonly<Record<string, ServerEntry>>> {
  const config = join(home.work, "config.json");
  writeFileSync(config, JSON.stringify({ mcpServers: servers }));
  const done = await mcpSecrets(["migrate", "--config", config, "--yes"], { env: home.env, cwd: home.work });
  if (done.code !== 0) throw new Error(`migrate ended with ${done.code}: ${done.stderr}`);
  // Those with references of their own are left for the user.
  await approveEntries(home, config);
  return JSON.parse(readFileSync(config, "utf8")).mcpServers;
}

/** One of `entries`; an error where it is missing. */
export function entryOf(entries: Readonly<Record<string, ServerEntry>>, name: string): ServerEntry {
  const entry = entries[name];
  if (entry === undefined) throw new Error(`no entry ${name}`);
  return entry;
}
