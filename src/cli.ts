import { Command, CommanderError } from "commander";
import type { Completable } from "./commands/completion.ts";
import { realContext, type Context } from "./context.ts";
import { EXIT, UserError, systemCode } from "./errors.ts";

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
    .option("--store <name>", "the store to move them to, where it is not the default one")
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

  command("approve", "give your word that an entry may have its references")
    .argument("<entry>", "CLIENT/SERVER")
    .action(async (entry) => end((await import("./commands/approve.ts")).runApprove(context, entry)));

  command("approvals", "list what you have approved")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await import("./commands/approvals.ts")).runApprovals(context, options)));

  command("set", "store a value, read from stdin or typed without echo")
    .argument("<reference>", "mcp-secret://STORE/PATH#FIELD")
    .action(async (ref) => end((await import("./commands/set.ts")).runSet(context, ref)));

  command("get", "print a value")
    .argument("<reference>", "mcp-secret://STORE/PATH#FIELD")
    .option("--force-stdout", "also where stdout is no terminal")
    .action(async (ref, options) => end((await import("./commands/get.ts")).runGet(context, ref, options)));

  command("list", "list what is stored, without values")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await import("./commands/list.ts")).runList(context, options)));

  command("rm", "remove a secret, all its versions")
    .argument("<reference>", "mcp-secret://STORE/PATH")
    .option("--yes", "do not ask")
    .action(async (ref, options) => end((await import("./commands/rm.ts")).runRm(context, ref, options)));

  command("ps", "list the launches that live, and what they hold")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await import("./commands/ps.ts")).runPs(context, options)));

  command("reap", "give back what launches that were killed have left")
    .option("--launch <id>", "of this launch only")
    .option("--json", "print what was given back as JSON")
    .action(async (options) => end((await import("./commands/reap.ts")).runReap(context, options)));

  command("revoke", "take the credentials of live launches away")
    .argument("[entry]", "CLIENT/SERVER")
    .option("--all", "of every launch")
    .option("--json", "print what was revoked as JSON")
    .action(async (entry, options) => end((await import("./commands/reap.ts")).runRevoke(context, entry, options)));

  addStoreCommands(command("store", "set up where secrets are kept"), context, end);

  command("doctor", "tell what is wrong, and the next command")
    .option("--fix", "mend what can be mended")
    .option("--json", "print the checks as JSON")
    .action(async (options) => end((await import("./commands/doctor.ts")).runDoctor(context, options)));

  command("completion", "print the completion script of a shell")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell) => {
      const { runCompletion } = await import("./commands/completion.ts");
      done(runCompletion(context, shell, program.commands.map(completable)));
    });

  // Handled by the launcher before this file is loaded; here for --help.
  command("run", "start a server with its secrets: mcp-secrets run --entry CLIENT/SERVER -- COMMAND [ARG...]");
  return program;
}

function addStoreCommands(store: Command, context: Context, end: (exit: Promise<number>) => Promise<void>): void {
  const load = () => import("./commands/store.ts");
  store
    .command("add")
    .description("set up a store in config.jsonc; secrets stay in their files")
    .argument("<name>", "as references will name it")
    .requiredOption("--provider <kind>", "vault or aws")
    .option("--address <url>", "a node of the cluster (may be repeated)", repeat)
    .option("--namespace <path>", "the namespace of the vault")
    .option("--ca-file <file>", "PEM of the authorities that may vouch for the server")
    .option("--cert-file <file>", "PEM of our certificate")
    .option("--key-file <file>", "PEM of its key")
    .option("--proxy <url>", "http://HOST:PORT; those of the environment are ignored")
    .option("--auth <method>", "token, approle, jwt, kubernetes, userpass or cert")
    .option("--auth-mount <path>", "where the method is mounted, if not at its name")
    .option("--role <name>", "for jwt, kubernetes and cert")
    .option("--role-id <id>", "for approle")
    .option("--user <name>", "for userpass")
    .option("--credential-file <file>", "the token, secret id, JWT or password, in a file of mode 0600")
    .option("--password-ref <reference>", "a password in the local store")
    .option("--wrapped-for <role>", "the secret id is wrapped, and was made for this role")
    .option("--mount <name=path>", "NAME=PATH, NAME=kv1:PATH or NAME=engine:PATH (may be repeated)", repeat)
    .option("--token-role <name>", "a token role for launches; {server} stands for the server")
    .option("--region <region>", "of Secrets Manager; AWS_REGION or the profile's where none is given")
    .option("--profile <name>", "of ~/.aws/config and ~/.aws/credentials")
    .option("--prefix <text>", "what the names of secrets begin with, as mcp/")
    .option("--role-arn <arn>", "a role that is assumed to reach the secrets")
    .option("--external-id <id>", "for that role")
    .option("--kms-key-id <id>", "the key of new secrets")
    .option("--endpoint <url>", "a VPC endpoint of Secrets Manager")
    .option("--sts-endpoint <url>", "and of STS")
    .option("--imds", "take credentials of the machine, where it is one of EC2")
    .option("--owner <text>", "a tag for new secrets: who answers for them")
    .option("--assume <name=arn>", "a role for servers, as mcp-secret://STORE/role/NAME (may be repeated)", repeat)
    .action(async (name, options) => end((await load()).runStoreAdd(context, name, options)));
  store
    .command("list")
    .description("list the stores")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await load()).runStoreList(context, options)));
  store
    .command("check")
    .description("log in, look at the rights, and print the policy that is missing")
    .argument("[name]", "the store; the default one where none is named")
    .option("--json", "print the findings as JSON")
    .action(async (name, options) => end((await load()).runStoreCheck(context, name, options)));
  store
    .command("default")
    .description("choose where migrate puts secrets")
    .argument("<name>", "the store")
    .action(async (name) => end((await load()).runStoreDefault(context, name)));
  store
    .command("policy")
    .description("print the least rights that a server needs")
    .requiredOption("--server <name>", "as the configs name it")
    .option("--store <name>", "of its references to this store")
    .option("--config <file>", "as this config refers to them (may be repeated)", repeat)
    .action(async (options) => end((await load()).runStorePolicy(context, options)));
}

function completable(command: Command): Completable {
  const options = command.options.flatMap(({ long }) => long ?? []);
  return { name: command.name(), description: command.description(), options };
}

/** The end of the process for `error`: text or one line of JSON on stderr, and the exit code. */
function report(error: unknown, context: Context, json: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { code, exit, message, hint } = toUserError(error);
  if (json) {
    context.terminal.err(`${JSON.stringify({ schema: "mcp-secrets/error/1", code, exit, message, hint })}\n`);
  } else {
    context.terminal.err(`[mcp-secrets] error: ${message}\n`);
    if (hint !== undefined) context.terminal.err(`[mcp-secrets] hint: ${hint}\n`);
  }
  return exit;
}

/** What the system refused, where no command has better words for it. Anything else is a bug and keeps its stack. */
function toUserError(error: unknown): UserError {
  if (error instanceof UserError) return error;
  const system = systemCode(error);
  if (system === undefined || !/^E[A-Z0-9]+$/.test(system)) throw error;
  const path = error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : undefined;
  return new UserError("cannot-write", `the system refuses ${path ?? "a file"}: ${system}`, {
    hint: path === undefined ? "mcp-secrets doctor" : `ls -ld ${path}`,
    cause: error,
  });
}

async function main(): Promise<void> {
  // Flushes wait for the disk, not for the processor: with more of them under way one journal commit serves many.
  process.env["UV_THREADPOOL_SIZE"] ??= "16";
  const context = realContext();
  try {
    await build(context, (exit) => (process.exitCode = exit)).parseAsync(process.argv);
  } catch (error) {
    process.exitCode = report(error, context, process.argv.includes("--json"));
  }
}

void main();
