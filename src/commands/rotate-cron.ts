import { isAbsolute, join } from "node:path";
import { createHash } from "node:crypto";
import type { Context } from "../context.ts";
import { printable } from "../core/table.ts";
import { EXIT, UserError, systemCode } from "../errors.ts";
import { entryCommand, installLauncher } from "../launch/install.ts";
import {
  type CronPlace,
  commandLine,
  defaultScheduler,
  type Installation,
  installationOf,
  SCHEDULERS,
  withLine,
} from "../rotate/cron.ts";

export interface CronOptions {
  /** One of `SCHEDULERS`. */
  readonly for?: string;
  readonly write?: boolean;
  readonly json?: boolean;
}

const TIMEOUT = 30_000;
/** Minutes: the turns of `rotate --due` are that far apart. */
const TURN = 15;

/** `rotate install-cron`: prints what makes the system start `rotate --due`, or with `--write` puts it there. */
export async function runInstallCron(context: Context, options: CronOptions): Promise<number> {
  const installation = installationOf(schedulerOf(context, options), placeOf(context));
  if (options.write === true) await install(context, installation);
  const { terminal, platform } = context;
  if (options.json === true) {
    const written = options.write === true;
    terminal.out(
      `${JSON.stringify({ schema: "mcp-secrets/rotate-install-cron/1", written, ...installation }, undefined, 2)}\n`,
    );
  } else if (options.write === true) {
    terminal.out(`${installation.scheduler} starts mcp-secrets rotate --due every ${TURN} minutes\n`);
  } else {
    terminal.out(textOf(installation, platform));
  }
  if (options.write !== true) warnOfAbsent(context);
  return EXIT.ok;
}

/** The stable launcher is there from the first migrate on: what names it before that starts nothing. */
function warnOfAbsent(context: Context): void {
  const { command, args } = entryCommand(context);
  const absent = [command, ...args].find((word) => isAbsolute(word) && context.files.look(word) === undefined);
  if (absent === undefined) return;
  context.terminal.err(`[mcp-secrets] ${printable(absent)} is not there yet\n`);
  context.terminal.err("[mcp-secrets] hint: mcp-secrets rotate install-cron --write makes it too\n");
}

function schedulerOf({ platform }: Context, { for: name }: CronOptions) {
  if (name === undefined) return defaultScheduler(platform);
  const scheduler = SCHEDULERS.find((known) => known === name);
  if (scheduler !== undefined) return scheduler;
  throw new UserError("usage", `no scheduler is called ${name}`, { hint: `--for ${SCHEDULERS.join("|")}` });
}

/** @throws UserError refused where a path cannot stand in such a file */
function placeOf(context: Context): CronPlace {
  const { command, args } = entryCommand(context);
  const words = [command, ...args];
  if ([...words, context.home].some((word) => /\p{Cc}/u.test(word))) {
    throw new UserError("refused", "a path with a control character cannot be written down for a scheduler", {
      hint: "set MCPS_HOME to a folder with a plain name",
    });
  }
  const seed = createHash("sha256").update(`${context.hostname} ${context.home}`).digest();
  return { command: words, home: context.home, userHome: context.userHome, offset: seed.readUInt32BE(0) % TURN };
}

async function install(context: Context, { files, crontab, commands }: Installation): Promise<void> {
  await installLauncher(context);
  if (crontab !== undefined) await writeCrontab(context, crontab);
  for (const { path, text } of files) await writeFile(context, path, text);
  for (const [program = "", ...args] of commands) {
    // An agent that was never loaded cannot be unloaded.
    if (args[0] === "unload") await context.run(program, args, TIMEOUT);
    else await mustRun(context, program, args);
  }
}

async function writeFile({ files }: Context, path: string, text: string): Promise<void> {
  try {
    await files.writePrivate(path, text);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new UserError("cannot-write", `cannot write ${path}: ${systemCode(error) ?? ""}`, {
      hint: "mcp-secrets rotate install-cron prints it",
      cause: error,
    });
  }
}

/** crontab(1) takes the whole table from a file; without a table of its own it says so and ends with 1. */
async function writeCrontab(context: Context, line: string): Promise<void> {
  const { exit, stdout, stderr } = await context.run("crontab", ["-l"], TIMEOUT);
  if (exit !== 0 && !/no crontab/i.test(stderr)) throw failed("crontab -l", stderr);
  const path = join(context.home, "rotation", "crontab");
  await context.files.writePrivate(path, withLine(exit === 0 ? stdout : "", line));
  try {
    await mustRun(context, "crontab", [path]);
  } finally {
    context.files.remove(path);
  }
}

async function mustRun(context: Context, program: string, args: readonly string[]): Promise<void> {
  const { exit, stderr } = await context.run(program, args, TIMEOUT);
  if (exit !== 0) throw failed(commandLine([program, ...args], context.platform), stderr);
}

function failed(command: string, stderr: string): UserError {
  const [line = ""] = stderr.split("\n");
  return new UserError("cannot-write", `${command} failed${line === "" ? "" : `: ${line.slice(0, 200)}`}`, {
    hint: "mcp-secrets rotate install-cron prints what it would have written",
  });
}

function textOf({ files, crontab, commands }: Installation, platform: NodeJS.Platform): string {
  const line = crontab === undefined ? "" : `${crontab}\n`;
  const written = files.map(({ path, text }) => `# ${path}\n${text}\n`).join("");
  return `${line}${written}${commands.map((words) => `${commandLine(words, platform)}\n`).join("")}`;
}
