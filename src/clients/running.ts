import type { ClientRow } from "./table.ts";

/** What of the Context tells which programs run. */
export interface ProgramRunner {
  readonly platform: NodeJS.Platform;
  readonly run: (command: string, args: readonly string[], timeout: number) => Promise<{ readonly stdout: string }>;
}

/** How long the list of processes may take, in milliseconds. */
const PATIENCE = 3000;

/** The clients among `rows` of which a process runs. None where the system does not tell. */
export async function runningClients(rows: readonly ClientRow[], runner: ProgramRunner): Promise<readonly ClientRow[]> {
  const watched = rows.filter(({ processes }) => processes.length > 0);
  if (watched.length === 0) return [];
  const [command, args] = listCommand(runner.platform);
  const { stdout } = await runner.run(command, args, PATIENCE);
  const names = new Set(processNames(stdout, runner.platform));
  return watched.filter(({ processes }) => processes.some((name) => names.has(name)));
}

/** `ps -A -o comm=` is POSIX; `tasklist` comes with Windows. */
export function listCommand(platform: NodeJS.Platform): [command: string, args: readonly string[]] {
  return platform === "win32" ? ["tasklist", ["/fo", "csv", "/nh"]] : ["ps", ["-A", "-o", "comm="]];
}

/** The names in the answer of `listCommand`: the last part of a path, which macOS gives. */
export function processNames(answer: string, platform: NodeJS.Platform): readonly string[] {
  const lines = answer.split(/\r?\n/);
  if (platform === "win32") return lines.flatMap((line) => /^"([^"]*)"/.exec(line)?.[1] ?? []);
  return lines.map((line) => line.trim().replace(/^.*\//, "")).filter((name) => name !== "");
}
