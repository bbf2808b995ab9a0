import { Command, CommanderError } from "commander";
import { realContext, type Context } from "./context.ts";
import { EXIT, UserError } from "./errors.ts";

/** Wiring only: options in, exit code out. Each command is loaded when it is called. */

const repeat = (value: string, list: string[] = []): string[] => [...list, value];

function build(context: Context, done: (exit: number) => void): Command {
  const program = new Command("mcp-secrets")
    .description("keeps the secrets of MCP servers out of client configs")
    .version(VERSION)
    .configureOutput({ writeOut: context.terminal.out, writeErr: context.terminal.err })
    .exitOverride()
    .showHelpAfterError("(mcp-secrets --help lists the commands)");
  const command = (usage: string, description: string) => program.command(usage).description(description);
  const end = async (exit: Promise<number>) => done(await exit);

  command("migrate", "move the plaintext secrets of MCP client configs into a store")
    .option("--config <file>", "this config (may be repeated)", repeat)
    .option("--client <id>", "the configs of this client (may be repeated)", repeat)
    .option("--server <name>", "only this server (may be repeated)", repeat)
    .option("--store <name>", "the store to move them to", "local")
    .option("--dry-run", "show the plan and touch nothing")
    .option("--yes", "do not ask")
    .option("--json", "print the plan and its outcome as JSON")
    .action(async (options) => end((await import("./commands/migrate.ts")).runMigrate(context, options)));

  command("restore", "bring configs back to what they were before migrate")
    .option("--config <file>", "this config (may be repeated)", repeat)
    .option("--server <name>", "only this server (may be repeated)", repeat)
    .option("--list", "list what can be restored")
    .option("--dry-run", "show what would happen and touch nothing")
    .option("--yes", "do not ask")
    .option("--json", "print the outcome as JSON")
    .action(async (options) => end((await import("./commands/restore.ts")).runRestore(context, options)));

  command("scan", "report plaintext secrets, and exit with 1 where there are any")
    .option("--config <file>", "this config (may be repeated)", repeat)
    .option("--client <id>", "the configs of this client (may be repeated)", repeat)
    .option("--json", "print the findings as JSON")
    .action(async (options) => end((await import("./commands/scan.ts")).runScan(context, options)));

  return program;
}

/** The end of the process for `error`: text or one line of JSON on stderr, and the exit code. */
function report(error: unknown, context: Context, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (!(error instanceof UserError)) throw error;
  const { code, exit, message, hint } = error;
  if (json) {
    context.terminal.err(`${JSON.stringify({ schema: "mcp-secrets/error/1", code, exit, message, hint })}\n`);
  } else {
    context.terminal.err(`[mcp-secrets] error: ${message}\n`);
    if (hint !== undefined) context.terminal.err(`[mcp-secrets] hint: ${hint}\n`);
  }
  return exit;
}

async function main(): Promise<void> {
  const context = realContext();
  try {
    await build(context, (exit) => (process.exitCode = exit)).parseAsync(process.argv);
  } catch (error) {
    process.exitCode = report(error, context, process.argv.includes("--json"));
  }
}

void main();
