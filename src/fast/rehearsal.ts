import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunContext, runServer } from "../commands/run.ts";
import type { Processes } from "../core/processes.ts";
import { formatRef } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { createLock } from "../io/locks.ts";
import { saveApprovals } from "../launch/approvals.ts";
import { launchContext } from "../start.ts";

/** How long the watcher of the rehearsal has to be gone, in milliseconds. */
const CLEARING = 200;

/**
 * One whole launch in a home that is thrown away, so that what it loads and compiles is in the snapshot. Leaves no
 * timer, no listener and no variable behind: they would be there again at every start.
 */
export async function rehearse(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mcp-secrets-"));
  const before = { ...process.env };
  try {
    const ref = { store: "local", path: "rehearsal/value" };
    Object.assign(process.env, { HOME: folder, MCPS_HOME: join(folder, "home"), REHEARSAL: formatRef(ref) });
    const context = launchContext({ folder, keep() {} });
    const store = await context.openStore(ref.store);
    await store.put?.(ref.path, { value: new Secret("nothing") }, { ifVersion: 0 });
    await approve(context, formatRef(ref));
    await runServer({ ...context, loadProcesses: async () => untimed(await context.loadProcesses()) }, LAUNCH);
    await new Promise((done) => setTimeout(done, CLEARING));
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, before);
    for (const name of process.eventNames()) if (String(name).startsWith("SIG")) process.removeAllListeners(name);
    rmSync(folder, { recursive: true, force: true });
  }
}

const LAUNCH = { entry: "rehearsal/server", words: ["true"] } as const;

async function approve(context: RunContext, reference: string): Promise<void> {
  const { files, home, pid, now, random } = context;
  const config = join(home, "rehearsal.json");
  const args = ["run", "--entry", LAUNCH.entry, "--", ...LAUNCH.words];
  const env = { REHEARSAL: reference };
  const entry = { command: join(home, "bin", "mcp-secrets"), args, env };
  await files.writePrivate(config, JSON.stringify({ mcpServers: { server: entry } }));
  const subject = {
    id: LAUNCH.entry,
    command: LAUNCH.words[0],
    args: [],
    env,
    config,
    pointer: "/mcpServers/server",
    members: {},
  };
  await saveApprovals({ files, home, now, lock: createLock({ pid, now, random }) }, [subject]);
}

/** A timer of the rehearsal would act on whatever process has the number of its child by then. */
function untimed(processes: Processes): Processes {
  return { ...processes, after() {}, onInputEnd() {} };
}
