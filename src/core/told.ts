import { printable } from "./table.ts";

/**
 * The lines on stderr that tell an error or a warning, and the next command. Whatever a config, a path or a server has
 * put into them, a line stays a line, and nothing in it moves the cursor or turns the text around.
 */
export function told(kind: "error" | "warning", text: string, hint?: string): string {
  return `${note(`${kind}: ${text}`)}${hint === undefined ? "" : note(`hint: ${hint}`)}`;
}

/** One line of ours: a client was seen to blank the word behind `secrets:`. */
export function note(text: string): string {
  return `[mcp-secrets] ${printable(text)}\n`;
}
