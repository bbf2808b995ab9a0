import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import type { ChildSpec, Ending, Processes, Programs } from "../core/processes.ts";
import type { Provider, ResolvedSecret } from "../core/provider.ts";
import { formatRef, type SecretRef } from "../core/ref.ts";
import { note, told } from "../core/told.ts";
import { UserError, systemCode } from "../errors.ts";
import type { LaunchView } from "../launch/approval.ts";
import { checkApproval } from "../launch/approvals.ts";
import { buildChild, type ChildPlan } from "../launch/child.ts";
import { findCommand, type FoundCommand } from "../launch/command.ts";
import { clientEnvironment, isOurs } from "../launch/parent-env.ts";
import { checkHome } from "../launch/home.ts";
import type { Keeper, KeeperEvent, KeeperHost } from "../launch/keeper.ts";
import { noteFolder } from "../launch/lease-folder.ts";
import { launchRefs, refKey } from "../launch/references.ts";
import { forgetLaunch, recordLaunch, sweepLaunches, versionsOf } from "../launch/registry.ts";
import { canReplace, resettingSignals } from "../launch/replace.ts";
import { resolveAll } from "../launch/resolve.ts";
import { supervise } from "../launch/supervise.ts";
import { treeKill, windowsCommand } from "../launch/windows.ts";
import { startDueWork } from "../rotate/trigger.ts";

/** The Context of a launch: less than that of other commands, because every millisecond of its making counts. */
export interface RunContext extends Pick<
  Context,
  | "env"
  | "platform"
  | "userHome"
  | "home"
  | "hostname"
  | "uid"
  | "pid"
  | "ppid"
  | "parentProgram"
  | "startOf"
  | "now"
  | "random"
  | "files"
> {
  readonly err: (text: string) => void;
  readonly programs: Programs;
  /** Loaded where a child is supervised. */
  readonly loadProcesses: () => Promise<Processes>;
  readonly openStore: (name: string) => Promise<Provider>;
  /** The words that start this program again. */
  readonly self: readonly string[];
}

export interface RunOptions {
  readonly entry: string;
  /** The server's own words: its command and its arguments. */
  readonly words: readonly string[];
}

interface Launch extends RunOptions {
  readonly id: string;
  readonly view: LaunchView;
  readonly refs: readonly SecretRef[];
}

export const RUN_HELP = `Usage: mcp-secrets run --entry CLIENT/SERVER -- COMMAND [ARG...]

Starts a server with its secrets. The entries that migrate rewrites are started through it.
`;

/**
 * The options of `run --entry ID -- COMMAND [ARG…]`, from the words behind `run`.
 * @throws UserError usage
 */
export function parseRun(args: readonly string[]): RunOptions {
  const [flag = "", ...rest] = args;
  const attached = /^--entry=(.+)$/s.exec(flag)?.[1];
  const entry = attached ?? (flag === "--entry" ? rest[0] : undefined);
  const [dashes, ...words] = attached === undefined ? rest.slice(1) : rest;
  if (entry !== undefined && dashes === "--" && words.length > 0) return { entry, words };
  throw new UserError("usage", "run takes an entry and the words of its server", {
    hint: "mcp-secrets run --entry CLIENT/SERVER -- COMMAND [ARG…]",
  });
}

/**
 * Starts the server of an entry with the secrets that it refers to, and returns how it ended. On a runtime that can, the
 * server takes our place, and this does not return.
 * @throws UserError where the launch fails
 */
export async function runServer(context: RunContext, { entry, words }: RunOptions): Promise<Ending> {
  // Before anything is written there, the log included.
  checkHome(context);
  const view = { words, env: clientEnvironment(context.env), anyCase: context.platform === "win32" };
  const launch: Launch = { entry, words, view, id: context.random(), refs: launchRefs(words, view.env) };
  const keeper = await keeperFor(context, launch);
  try {
    const { secrets, plan, found } = await prepare(context, launch, keeper);
    const spec = specOf(context, launch, plan, found);
    noteLaunch(context, launch, secrets);
    await replaceIfPossible(context, keeper, spec);
    return await startChild(context, launch, { spec, keeper });
  } catch (error) {
    await keeper?.release();
    if (error instanceof UserError && error.code !== "cannot-write") {
      const outcome = error.code === "not-approved" || error.code === "refused" ? "denied" : "failed";
      audit(context, launch, { event: "launched", outcome, code: error.code });
    }
    throw error;
  }
}

interface Prepared {
  readonly secrets: readonly ResolvedSecret[];
  readonly plan: ChildPlan;
  readonly found: FoundCommand;
}

/** Nothing is read from a store before the approval was checked and the program found. */
async function prepare(context: RunContext, launch: Launch, keeper: Keeper | undefined): Promise<Prepared> {
  const approval = checkApproval(context, launch.entry, launch.view);
  const found = search(context, launch);
  const { secrets, scopes } = await resolveAll(launch.refs, {
    launch: { id: launch.id, entry: launch.entry },
    now: context.now,
    openStore: context.openStore,
    journalFor(store) {
      if (keeper === undefined) throw new Error("the local store gives nothing that must be given back");
      return keeper.journalFor(store);
    },
  });
  keeper?.keep(scopes);
  const plan = buildChild(
    launch.view.env,
    launch.words.slice(1),
    new Map(secrets.map(({ ref, value }) => [refKey(ref), value])),
    { own: new Set(approval.env.map(({ name }) => name)), platform: context.platform },
  );
  if (secrets.length > 0) audit(context, launch, { event: "resolved", outcome: "ok" });
  tellStale(context, launch, secrets);
  const reserved = approval.env.flatMap(({ name }) => (isOurs(name) ? [{ name, reason: "is kept for us" }] : []));
  for (const { name, reason } of [...reserved, ...plan.withheld]) {
    context.err(note(`${name} was not passed on: it ${reason}`));
  }
  return { secrets, plan, found };
}

/** The user allowed it, and is told all the same: what was revoked or replaced since is not known here. */
function tellStale(context: RunContext, launch: Launch, secrets: readonly ResolvedSecret[]): void {
  const stale = secrets.filter(({ staleSince }) => staleSince !== undefined);
  for (const { ref, version, staleSince = 0 } of stale) {
    const which = version === undefined ? "a copy" : `a copy of version ${version}`;
    const read = new Date(staleSince).toISOString();
    context.err(told("warning", `store ${ref.store} does not answer: ${formatRef(ref)} is ${which} read ${read}`));
  }
  if (stale.length === 0) return;
  appendAudit(context, {
    event: "stale",
    outcome: "ok",
    entry: launch.entry,
    launch: launch.id,
    refs: stale.map(({ ref }) => formatRef(ref)),
  });
}

function search(context: RunContext, { view, words }: Launch): FoundCommand {
  const [command = ""] = words;
  const place = { env: view.env, platform: context.platform, userHome: context.userHome };
  const found = findCommand(command, place, context.programs.probe);
  if (found === undefined) {
    throw new UserError("command-not-found", `the command ${command} was not found`, {
      hint: "install it, or name it in the config by its absolute path",
    });
  }
  if (found === "other") {
    throw new UserError("cannot-execute", `the command ${command} is there but cannot be run`, {
      hint: "make it executable, or name another in the config",
    });
  }
  return found;
}

function specOf(context: RunContext, launch: Launch, plan: ChildPlan, found: FoundCommand): ChildSpec {
  const [argv0 = ""] = launch.words;
  const env = found.added === undefined ? plan.env : withFolder(plan.env, found.added, context.platform);
  if (context.platform !== "win32") return { file: found.path, argv0, args: plan.args, env, group: false };
  const { file, args, verbatim } = windowsCommand(found.path, plan.args, context.env["ComSpec"] ?? "cmd.exe");
  return { file, argv0: file, args, env, verbatim, group: false };
}

/** A program that only the longer PATH found needs that folder for its own kind: `npx` starts `node`. */
function withFolder(env: Readonly<Record<string, string>>, folder: string, platform: NodeJS.Platform) {
  const delimiter = platform === "win32" ? ";" : ":";
  return { ...env, PATH: [env["PATH"], folder].filter((part) => part !== undefined && part !== "").join(delimiter) };
}

function noteLaunch(context: RunContext, launch: Launch, secrets: readonly ResolvedSecret[]): void {
  try {
    recordLaunch(context, {
      v: 1,
      id: launch.id,
      entry: launch.entry,
      pid: context.pid,
      started: context.startOf(context.pid) ?? "",
      since: new Date(context.now()).toISOString(),
      refs: versionsOf(secrets),
    });
  } catch (error) {
    throw new UserError("cannot-write", `cannot note the launch in ${context.home}: ${systemCode(error) ?? "error"}`, {
      hint: `check the permissions and the free space of ${context.home}`,
      cause: error,
    });
  }
  audit(context, launch, { event: "launched", outcome: "ok" });
}

/** Returns only where the server is better started as a child. */
async function replaceIfPossible(context: RunContext, keeper: Keeper | undefined, spec: ChildSpec): Promise<void> {
  const { replace, inspect } = context.programs;
  if (replace === undefined || keeper?.holds() === true) return;
  await keeper?.release();
  const wrapped = resettingSignals(spec, "/usr/bin/env");
  if (wrapped === undefined || !canReplace(spec, inspect) || !canReplace(wrapped, inspect)) return;
  sweepLaunches(context);
  await startDueWork(context);
  replace(wrapped);
}

async function startChild(
  context: RunContext,
  launch: Launch,
  { spec, keeper }: { readonly spec: ChildSpec; readonly keeper: Keeper | undefined },
): Promise<Ending> {
  const processes = await context.loadProcesses();
  const group = context.platform !== "win32" && !processes.hasTerminal();
  try {
    const supervision = { ...supervisionOf(context, processes, group), onEnding: () => void keeper?.release() };
    const { ended } = await supervise(processes, { ...spec, group }, supervision);
    void startDueWork(context);
    const ending = await ended;
    await keeper?.release();
    noteEnd(context, launch, ending);
    return ending;
  } catch (error) {
    throw startFailure(launch, error);
  } finally {
    forgetLaunch(context, launch.id);
    sweepLaunches(context);
  }
}

/** The server has ended: that it cannot be recorded any more changes nothing about how. */
function noteEnd(context: RunContext, launch: Launch, { signal, code }: Ending): void {
  try {
    audit(context, launch, { event: "ended", outcome: "ok", ended: signal ?? code ?? 0 });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    context.err(told("warning", error.message));
  }
}

function supervisionOf(context: RunContext, processes: Processes, group: boolean) {
  const { platform } = context;
  if (platform !== "win32") return { platform, group };
  const root = context.env["SystemRoot"] ?? String.raw`C:\Windows`;
  const endTree = (pid: number) => {
    const { file, args } = treeKill(pid, root);
    processes.succeeds(file, args);
  };
  return { platform, group, endTree };
}

function startFailure({ words }: Launch, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof UserError || code === undefined) return error;
  const kind = code === "ENOENT" ? "command-not-found" : code === "EAGAIN" ? "locked" : "cannot-execute";
  return new UserError(kind, `the command ${words[0] ?? ""} could not be started: ${code}`, {
    hint: "start it by hand to see why",
    cause: error,
  });
}

/** Loaded where a launch may have something to give back, or a dead one has left something. */
async function keeperFor(context: RunContext, launch: Launch): Promise<Keeper | undefined> {
  const needed = launch.refs.some(({ store }) => store !== "local");
  if (!needed && context.files.list(noteFolder(context.home)).length === 0) return undefined;
  const { createKeeper, reapTheDead } = await import("#keeper");
  const host = keeperHost(context, launch);
  await reapTheDead(host);
  return needed ? createKeeper(host) : undefined;
}

function keeperHost(context: RunContext, launch: Launch): KeeperHost {
  const tell = (event: KeeperEvent) => {
    if (event.type === "revoked") {
      return audit(context, launch, { event: "revoked", outcome: event.whole ? "ok" : "failed" });
    }
    if (event.type === "intruded") {
      context.err(note(`refused: ${event.what}`));
      return audit(context, launch, { event: "intruded", outcome: "denied" });
    }
    const time = new Date(event.at).toISOString();
    context.err(note(`${event.what} ends at ${time}: restart the server in its client`));
    return audit(context, launch, { event: "ending", outcome: "ok" });
  };
  return { ...context, launch: launch.id, entry: launch.entry, tell };
}

function audit(
  context: RunContext,
  { id, entry, refs }: Launch,
  event: Pick<Parameters<typeof appendAudit>[1], "event" | "outcome" | "code" | "ended">,
): void {
  appendAudit(context, { ...event, entry, launch: id, refs: refs.map(formatRef) });
}
