import type { ConfigFormat } from "./document.ts";
import { jsonc } from "./jsonc.ts";

/** Where a client keeps a config, and what it does with it. Another client is another row. */
export interface ClientRow {
  /** The first part of the ids of its entries, and the word for `--client`. */
  readonly id: string;
  /** The name that the user knows. */
  readonly name: string;
  /**
   * Paths by platform, the preferred one first. `~` is the user's home, `%NAME%` a variable of the environment, and one
   * segment may hold a `*`.
   */
  readonly paths: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>>;
  readonly format: ConfigFormat;
  /** True where the client itself reads no comments and no trailing commas. */
  readonly strictJson: boolean;
  /** The keys that lead to the servers. */
  readonly keyPath: readonly string[];
  /** What the client's processes are called, where it can be seen to run. */
  readonly processes: readonly string[];
  /** True where the client writes its own copy of the config back. */
  readonly rewritesConfig: boolean;
  /** True where the client itself replaces `${NAME}` in arguments by what `env` of the entry says. */
  readonly interpolates: boolean;
}

export const clients: readonly ClientRow[] = [
  {
    // modelcontextprotocol docs "connect to local servers"; the Store package since 2026-02 keeps AppData for itself.
    id: "claude-desktop",
    name: "Claude Desktop",
    paths: {
      darwin: ["~/Library/Application Support/Claude/claude_desktop_config.json"],
      win32: [
        "%LOCALAPPDATA%\\Packages\\Claude_*\\LocalCache\\Roaming\\Claude\\claude_desktop_config.json",
        "%APPDATA%\\Claude\\claude_desktop_config.json",
      ],
      linux: ["~/.config/Claude/claude_desktop_config.json"],
    },
    format: jsonc,
    strictJson: true,
    keyPath: ["mcpServers"],
    processes: ["Claude", "Claude.exe", "claude-desktop"],
    rewritesConfig: true,
    interpolates: false,
  },
];

/** A config that the user names and that is none of a known client. */
export const customClient: ClientRow = {
  id: "custom",
  name: "custom",
  paths: {},
  format: jsonc,
  strictJson: false,
  keyPath: ["mcpServers"],
  processes: [],
  rewritesConfig: false,
  interpolates: false,
};
