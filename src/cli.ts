import { Command, CommanderError, InvalidArgumentError } from "commander";
import type { Completable } from "./commands/completion.ts";
import { realContext, type Context } from "./context.ts";
import { bugReport } from "./core/bug.ts";
import { told } from "./core/told.ts";
import { EXIT, UserError, systemCode } from "./errors.ts";
import { type Terminal, realTerminal } from "./io/terminal.ts";

/** Wiring only: options in, exit code out. Each command is loaded when it is called. */

/** An empty path would mean the working folder, and no client is called so: some variable of a script was not set. */
const repeat = (value: string, list: string[] = []): string[] => {
  if (value === "") throw new InvalidArgumentError("it is empty");
  return [...list, value];
};
/** A server may have any name. */
const repeatName = (value: string, list: string[] = []): string[] => [...list, value];

/** These tell what is wrong with the home folder instead of refusing it, or do not need it. */
const WITHOUT_SAFE_HOME = ["doctor", "completion"];

interface Wiring {
  readonly terminal: Terminal;
  /** Made by the commands that need one. */
  readonly context: () => Context;
  readonly done: (exit: number) => void;
}

function build({ terminal, context, done }: Wiring): Command {
  const program = new Command("mcp-secrets")
    .description("keeps the secrets of MCP servers out of client configs")
    .version(VERSION)
    // Errors are told by `report`, in one form for all.
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err, outputError: () => {} })
    .exitOverride()
    // What stands behind a command is that command's: `rotate` and `rotate status` both have --json.
    .enablePositionalOptions()
    .hook("preAction", async (_, command) => {
      if (WITHOUT_SAFE_HOME.includes(command.name())) return;
      (await import("./launch/home.ts")).checkHome(context());
    });
  const command = (usage: string, description: string) => program.command(usage).description(description);
  const end = async (exit: Promise<number>) => done(await exit);

  command("migrate", "move the plaintext secrets of MCP client configs into a store")
    .option("--config <file>", "this config (may be repeated)", repeat)
    .option("--client <id>", "the configs of this client (may be repeated)", repeat)
    .option("--server <name>", "only this server (may be repeated)", repeatName)
    .option("--store <name>", "the store for them, where it is not the default one; what is in others moves there too")
    .option("--from <name>", "of what is stored already, only what is in this store (may be repeated)", repeat)
    .option("--dry-run", "show the plan and touch nothing")
    .option("--yes", "do not ask")
    .option("--json", "print the plan and its outcome as JSON")
    .action(async (options) => end((await import("./commands/migrate.ts")).runMigrate(context(), options)));

  command("restore", "bring configs back to what they were before migrate")
    .option("--config <file>", "this config (may be repeated)", repeat)
    .option("--server <name>", "only this server (may be repeated)", repeatName)
    .option("--list", "list what can be restored")
    .option("--dry-run", "show what would happen and touch nothing")
    .option("--yes", "do not ask")
    .option("--json", "print the outcome as JSON")
    .action(async (options) => end((await import("./commands/restore.ts")).runRestore(context(), options)));

  command("scan", "report plaintext secrets, and exit with 1 where there are any")
    .option("--config <file>", "this config (may be repeated)", repeat)
    .option("--client <id>", "the configs of this client (may be repeated)", repeat)
    .option("--json", "print the findings as JSON")
    .action(async (options) => end((await import("./commands/scan.ts")).runScan(context(), options)));

  command("approve", "give your word that an entry may have its references")
    .argument("[entry]", "CLIENT/SERVER")
    .option("--config <file>", "the config that has it, where it is not a known one")
    .option("--withdraw", "take your word back, for the entry or for all of the config")
    .action(async (entry: string | undefined, { withdraw, ...options }) => {
      if (withdraw === true) {
        return end((await import("./commands/withdraw.ts")).runWithdraw(context(), { entry, ...options }));
      }
      return end((await import("./commands/approve.ts")).runApprove(context(), entry, options));
    });

  command("approvals", "list what you have approved")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await import("./commands/approvals.ts")).runApprovals(context(), options)));

  command("set", "store a value, read from stdin or typed without echo")
    .argument("<reference>", "mcp-secret://STORE/PATH#FIELD")
    .action(async (ref) => end((await import("./commands/set.ts")).runSet(context(), ref)));

  command("get", "print a value")
    .argument("<reference>", "mcp-secret://STORE/PATH#FIELD")
    .option("--force-stdout", "also where stdout is no terminal")
    .action(async (ref, options) => end((await import("./commands/get.ts")).runGet(context(), ref, options)));

  command("list", "list what is stored, without values")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await import("./commands/list.ts")).runList(context(), options)));

  command("rm", "remove a secret, all its versions")
    .argument("<reference>", "mcp-secret://STORE/PATH")
    .option("--yes", "do not ask")
    .action(async (ref, options) => end((await import("./commands/rm.ts")).runRm(context(), ref, options)));

  command("ps", "list the launches that live, and what they hold")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await import("./commands/ps.ts")).runPs(context(), options)));

  command("reap", "give back what launches that were killed have left")
    .option("--launch <id>", "of this launch only")
    .option("--json", "print what was given back as JSON")
    .action(async (options) => end((await import("./commands/reap.ts")).runReap(context(), options)));

  command("revoke", "take the credentials of live launches away")
    .argument("[entry]", "CLIENT/SERVER")
    .option("--all", "of every launch")
    .option("--json", "print what was revoked as JSON")
    .action(async (entry, options) => end((await import("./commands/reap.ts")).runRevoke(context(), entry, options)));

  addStoreCommands(command("store", "set up where secrets are kept"), context, end);
  addRotateCommands(command("rotate", "replace secrets where they were issued"), context, end);

  command("doctor", "tell what is wrong, and the next command")
    .option("--fix", "mend what can be mended")
    .option("--json", "print the checks as JSON")
    .action(async (options) => end((await import("./commands/doctor.ts")).runDoctor(context(), options)));

  command("completion", "print the completion script of a shell")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell) => {
      const { runCompletion } = await import("./commands/completion.ts");
      done(runCompletion({ terminal }, shell, program.commands.map(completable)));
    });

  // Handled by the launcher before this file is loaded; here for --help.
  command("run", "start a server with its secrets: mcp-secrets run --entry CLIENT/SERVER -- COMMAND [ARG...]");
  return program;
}

function addStoreCommands(store: Command, context: () => Context, end: (exit: Promise<number>) => Promise<void>): void {
  const load = () => import("./commands/store.ts");
  store
    .command("add")
    .description("set up a store in config.jsonc; secrets stay in their files")
    .argument("<name>", "as references will name it")
    .requiredOption("--provider <kind>", "vault, aws or github-app")
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
    .option("--stale-for <duration>", "use an encrypted copy of that age while the vault does not answer: 8h")
    .option("--token-role <name>", "a token role for launches; {server} stands for the server")
    .option("--region <region>", "of Secrets Manager; AWS_REGION or the profile's where none is given")
    .option("--profile <name>", "of ~/.aws/config and ~/.aws/credentials")
    .option("--prefix <text>", "what the names of secrets begin with, as mcp/")
    .option("--role-arn <arn>", "a role that is assumed to reach the secrets")
    .option("--external-id <id>", "for that role")
    .option("--kms-key-id <id>", "the key of new secrets")
    .option("--endpoint <url>", "a VPC endpoint of Secrets Manager, or the API of a GitHub Enterprise Server")
    .option("--sts-endpoint <url>", "and of STS")
    .option("--imds", "take credentials of the machine, where it is one of EC2")
    .option("--owner <text>", "a tag for new secrets: who answers for them")
    .option("--assume <name=arn>", "a role for servers, as mcp-secret://STORE/role/NAME (may be repeated)", repeat)
    .option("--app <id>", "the client id of a GitHub App")
    .option("--installation <number>", "of the app, where the repositories are")
    .option("--key-ref <reference>", "the app's private key in the local store")
    .option("--token <name=repositories:permissions>", "NAME=REPO,…:PERMISSION=read,… (may be repeated)", repeat)
    .action(async (name, options) => end((await load()).runStoreAdd(context(), name, options)));
  store
    .command("list")
    .description("list the stores")
    .option("--json", "print the list as JSON")
    .action(async (options) => end((await load()).runStoreList(context(), options)));
  store
    .command("check")
    .description("log in, look at the rights, and print the policy that is missing")
    .argument("[name]", "the store; the default one where none is named")
    .option("--json", "print the findings as JSON")
    .action(async (name, options) => end((await load()).runStoreCheck(context(), name, options)));
  store
    .command("default")
    .description("choose where migrate puts secrets")
    .argument("<name>", "the store")
    .action(async (name) => end((await load()).runStoreDefault(context(), name)));
  store
    .command("policy")
    .description("print the least rights that a server needs")
    .requiredOption("--server <name>", "as the configs name it")
    .option("--store <name>", "of its references to this store")
    .option("--config <file>", "as this config refers to them (may be repeated)", repeat)
    .action(async (options) => end((await load()).runStorePolicy(context(), options)));
}

function addRotateCommands(
  rotate: Command,
  context: () => Context,
  end: (exit: Promise<number>) => Promise<void>,
): void {
  rotate
    .enablePositionalOptions()
    .argument("[reference...]", "mcp-secret://STORE/PATH")
    .option("--due", "what the settings say, and what was begun: for cron")
    .option("--exposed", "what was in plaintext, the worst first")
    .option("--dry-run", "show what would be done")
    .option("--guide", "print what a person does, and do nothing")
    .option("--retired", "note your word that the old value is dead")
    .option("--settle", "note your word that what was stuck is mended, once the value logs in")
    .option("--json", "print one line of JSON for each secret")
    .action(async (refs, options) => end((await import("./commands/rotate.ts")).runRotate(context(), refs, options)));
  rotate
    .command("status")
    .description("tell the state, age, next turn and last result of each secret, and who holds an old value")
    .option("--json", "print it as JSON")
    .action(async (options) => end((await import("./commands/rotate-status.ts")).runRotateStatus(context(), options)));
  rotate
    .command("install-cron")
    .description("print what makes the system start rotate --due, or put it there")
    .option("--for <scheduler>", "crontab, systemd, launchd or schtasks; this platform's where none is named")
    .option("--write", "put it there")
    .option("--json", "print it as JSON")
    .action(async (options) => end((await import("./commands/rotate-cron.ts")).runInstallCron(context(), options)));
}

function completable(command: Command): Completable {
  const options = command.options.flatMap(({ long }) => long ?? []);
  const commands = command.commands.map((inner) => inner.name());
  return { name: command.name(), description: command.description(), options, commands };
}

/**
 * The words that commander is to see. Behind a command that it does not know it takes `--help` for its own, and `help`
 * for such a command for a plain `help`: the unknown word alone makes it say so.
 */
function parsable(program: Command, words: readonly string[]): readonly string[] {
  const [first = "", second = ""] = words;
  const named = first === "help" ? second : first;
  const known = named === "" || named === "help" || named.startsWith("-");
  return known || program.commands.some((command) => command.name() === named) ? words : [named];
}

/** The end of the process for `error`: text or one line of JSON on stderr, and the exit code. */
function report(error: unknown, terminal: Terminal, words: readonly string[]): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  // Where no command is named, the help that commander has printed says it all.
  if (error instanceof CommanderError && error.code === "commander.help") return EXIT.usage;
  const { code, exit, message, hint, cause } = toUserError(error, words);
  if (words.includes("--json")) {
    terminal.err(`${JSON.stringify({ schema: "mcp-secrets/error/1", code, exit, message, hint })}\n`);
  } else {
    if (code === "bug") terminal.err(bugReport(cause).stack);
    terminal.err(told("error", message, hint));
  }
  return exit;
}

function toUserError(error: unknown, words: readonly string[]): UserError {
  if (error instanceof UserError) return error;
  if (error instanceof CommanderError) return usageError(error, words);
  const system = systemCode(error);
  return system !== undefined && /^E[A-Z0-9]+$/.test(system) ? systemError(error, system) : bugError(error, words);
}

/** `error: unknown option '--jso'` and `(Did you mean --json?)`, in our form. */
function usageError({ message }: CommanderError, [first = ""]: readonly string[]): UserError {
  const [what = "", ...more] = message.split("\n").filter((line) => line !== "");
  const guess = /^\(Did you mean (.*)\?\)$/.exec(more.join(" "))?.[1];
  const command = /^[a-z]+$/.test(first) && !message.includes("unknown command") ? ` ${first}` : "";
  const hint =
    guess === undefined ? `mcp-secrets${command} --help` : `did you mean ${guess}? see mcp-secrets${command} --help`;
  // `--value=…` is told without what may be a value.
  const mistake = what.replace(/^error: /, "").replace(/^(unknown option '[^=]*)=.*/s, "$1'");
  return new UserError("usage", mistake.replace(/\.$/, ""), { hint });
}

/** What the system refused, where no command has better words for it. */
function systemError(error: unknown, system: string): UserError {
  const path = error instanceof Error && "path" in error && typeof error.path === "string" ? error.path : undefined;
  const look = NO_ROOM.has(system) ? "df -h" : "ls -ld";
  return new UserError("cannot-write", `the system refuses ${path ?? "a file"}: ${system}`, {
    hint: path === undefined ? "mcp-secrets doctor" : `${look} ${path}`,
    cause: error,
  });
}

/** What making room mends. */
const NO_ROOM: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

function bugError(error: unknown, words: readonly string[]): UserError {
  const lines = words.includes("--json") ? "what it prints without --json" : "the lines above";
  return new UserError("bug", `a bug in mcp-secrets ${VERSION}: ${bugReport(error).what}`, {
    hint: `report it with ${lines}: no arguments and no environment are in them`,
    cause: error,
  });
}

async function main(): Promise<void> {
  // Flushes wait for the disk, not for the processor: with more of them under way one journal commit serves many.
  process.env["UV_THREADPOOL_SIZE"] ??= "16";
  const words = process.argv.slice(2);
  const terminal = realTerminal();
  // Thrown where nobody waits for it: Node would end with 1, which means findings.
  process.on("uncaughtException", (error) => process.exit(report(error, terminal, words)));
  try {
    const context = () => realContext(terminal);
    const program = build({ terminal, context, done: (exit) => (process.exitCode = exit) });
    await program.parseAsync(parsable(program, words), { from: "user" });
  } catch (error) {
    process.exitCode = report(error, terminal, words);
  }
}

void main();
