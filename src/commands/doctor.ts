import type { Entry } from "../clients/document.ts";
import type { Context } from "../context.ts";
import { findRefs, formatRef, type SecretRef } from "../core/ref.ts";
import { formatTable, printable } from "../core/table.ts";
import { EXIT, UserError } from "../errors.ts";
import { subjectChanges } from "../launch/approvals.ts";
import { installLauncher, launcherProblem } from "../launch/install.ts";
import { isUnsettled, settleJournal } from "../migrate/apply.ts";
import { Journal, type Migration } from "../migrate/journal.ts";
import type { ReadConfig } from "../migrate/read.ts";
import { unwrap, wordsOf } from "../migrate/wrapper.ts";
import { openStore } from "../stores.ts";
import { type Gathered, gather } from "./gather.ts";
import { join } from "node:path";

export interface DoctorOptions {
  readonly fix?: boolean;
  readonly json?: boolean;
}

/** One thing that was looked at. `hint` is the next command. */
interface Check {
  readonly about: string;
  readonly state: "ok" | "warning" | "problem";
  readonly detail: string;
  readonly hint?: string;
}

const RESOLVE_DEADLINE = 10_000;

/** `doctor`: what is wrong and the next command. Returns 1 where there is a problem. */
export async function runDoctor(context: Context, options: DoctorOptions): Promise<number> {
  if (options.fix === true) await fix(context);
  const journal = new Journal(context.files, context.home);
  const { configs, failures } = gatherAll(context, journal.list());
  const checks = [
    ...homeChecks(context),
    await launcherCheck(context),
    await storeCheck(context),
    ...journalChecks(context, journal),
    ...failures.map(({ error }) => problem(error.message, "the config cannot be read", error.hint)),
    ...(await Promise.all(configs.map((config) => configChecks(context, config, journal.list())))).flat(),
  ];
  if (options.json === true) {
    context.terminal.out(`${JSON.stringify({ schema: "mcp-secrets/doctor/1", checks }, null, 2)}\n`);
  } else {
    show(context, checks);
  }
  return checks.some(({ state }) => state === "problem") ? EXIT.findings : EXIT.ok;
}

/** The configs of known clients, and those that migrate was pointed at. */
function gatherAll(context: Context, migrations: readonly Migration[]): Gathered {
  const found = gather(context, {});
  const seen = new Set(found.configs.map(({ place }) => context.files.realpath(place.path)));
  const rewritten = new Set(migrations.filter(({ state }) => state === "done").map(({ config }) => config));
  const more = gather(context, { config: [...rewritten].filter((path) => !seen.has(path)) });
  return { configs: [...found.configs, ...more.configs], failures: [...found.failures, ...more.failures] };
}

async function fix(context: Context): Promise<void> {
  await context.lock(join(context.home, "journal", "migrate.lock"), async () => {
    await settleJournal(context.files, new Journal(context.files, context.home));
    await installLauncher(context);
  });
}

function homeChecks({ files, home, platform }: Context): Check[] {
  const found = files.look(home);
  if (found === undefined) return [ok(home, "not made yet: nothing was stored")];
  if (platform === "win32" || (found.mode & 0o077) === 0) return [ok(home, "private")];
  return [problem(home, "other users may look into it", `chmod 700 ${home}`)];
}

async function launcherCheck(context: Context): Promise<Check> {
  const wrong = await launcherProblem(context);
  if (wrong === undefined) return ok("launcher", "in place");
  return context.files.look(context.home) === undefined
    ? ok("launcher", "not installed yet: migrate does it")
    : problem("launcher", wrong, "mcp-secrets doctor --fix");
}

async function storeCheck(context: Context): Promise<Check> {
  try {
    const secrets = (await (await openStore(context, "local")).list?.()) ?? [];
    const bad = secrets.filter((secret) => secret.problem !== undefined);
    if (bad.length === 0) return ok("store local", `${secrets.length} secrets, all readable`);
    return problem("store local", bad.map((secret) => secret.problem).join("; "), "mcp-secrets list");
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return problem("store local", error.message, error.hint);
  }
}

function journalChecks({ files }: Context, journal: Journal): Check[] {
  if (!isUnsettled(files, journal)) return [];
  return [problem("journal", "a migrate or a restore was cut short", "mcp-secrets doctor --fix")];
}

async function configChecks(context: Context, read: ReadConfig, migrations: readonly Migration[]): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { entry, findings } of read.input.entries) {
    const about = `${read.place.id}/${entry.server}`;
    if (findings.length > 0) {
      const again = wasMigrated(context, read, entry, migrations);
      const what = again ? "the plaintext is back: the client wrote its old copy" : "plaintext secrets in the config";
      checks.push(problem(about, `${what} (${findings.length})`, `mcp-secrets migrate --config ${read.place.path}`));
    }
    if (unwrap(entry) !== undefined) checks.push(...(await entryChecks(context, read, entry)));
  }
  for (const { server, problem: wrong } of read.problems) {
    checks.push(problem(`${read.place.id}/${server}`, wrong, `mend ${read.place.path} by hand`));
  }
  return checks.length > 0 ? checks : [ok(read.place.path, "no plaintext secret")];
}

function wasMigrated(
  { files }: Context,
  { place }: ReadConfig,
  entry: Entry,
  migrations: readonly Migration[],
): boolean {
  const real = files.realpath(place.path);
  return migrations.some(({ config, state, servers }) => {
    return config === real && state === "done" && servers.includes(entry.server) && unwrap(entry) === undefined;
  });
}

async function entryChecks(context: Context, { place }: ReadConfig, entry: Entry): Promise<Check[]> {
  const id = unwrap(entry)?.id ?? "";
  const [command = "", ...args] = wordsOf(entry).map(({ text }) => text);
  const env = Object.fromEntries(entry.env.map(({ name, text }) => [name, text]));
  const config = context.files.realpath(place.path);
  const changes = subjectChanges(context, { id, command, args, env, config, pointer: entry.pointer });
  const checks: Check[] = [];
  if (changes === undefined) checks.push(problem(id, "nobody has approved it", `mcp-secrets approve ${id}`));
  else if (changes.length > 0) {
    checks.push(problem(id, `${changes.join(", ")} changed since it was approved`, `mcp-secrets approve ${id}`));
  }
  const inArgs = [command, ...args].flatMap(findRefs);
  if (inArgs.length > 0) {
    const list = inArgs.map(({ ref }) => formatRef(ref)).join(", ");
    checks.push({ about: id, state: "warning", detail: `in the process list while the server runs: ${list}` });
  }
  const refs = [...inArgs, ...Object.values(env).flatMap(findRefs)].map(({ ref }) => ref);
  checks.push(...(await resolveChecks(context, id, refs)));
  return checks.length > 0 ? checks : [ok(id, `approved, ${refs.length} references resolve`)];
}

async function resolveChecks(context: Context, id: string, refs: readonly SecretRef[]): Promise<Check[]> {
  const checks: Check[] = [];
  for (const ref of refs) {
    try {
      const provider = await openStore(context, ref.store);
      await provider.resolve([ref], { deadline: context.now() + RESOLVE_DEADLINE });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      checks.push(problem(id, error.message, error.hint));
    }
  }
  return checks;
}

function show(context: Context, checks: readonly Check[]): void {
  const rows = checks.map(({ about, state, detail }) => [state, about, detail]);
  context.terminal.out(formatTable(["STATE", "ABOUT", "WHAT"], rows));
  for (const hint of new Set(checks.flatMap((check) => check.hint ?? []))) {
    context.terminal.err(`[mcp-secrets] hint: ${printable(hint)}\n`);
  }
}

function ok(about: string, detail: string): Check {
  return { about, state: "ok", detail };
}

function problem(about: string, detail: string, hint?: string): Check {
  return { about, state: "problem", detail, ...(hint === undefined ? {} : { hint }) };
}
