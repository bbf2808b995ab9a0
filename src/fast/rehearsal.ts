import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import { join } from "node:path";
import { type RunContext, runServer } from "../commands/run.ts";
import type { Processes } from "../core/processes.ts";
import { formatRef } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { createLock } from "../io/locks.ts";
import { saveApprovals } from "../launch/approvals.ts";
import { readSettings } from "../settings.ts";
import { launchContext } from "../start.ts";

/** How long the watcher of the rehearsal has to be gone, in milliseconds. */
const CLEARING = 200;
const REF = { store: "local", path: "rehearsal/value" } as const;
const LAUNCH = { entry: "rehearsal/server", words: ["true"] } as const;

/**
 * Makes in `folder` the home that the rehearsal needs: a secret, an approved entry, settings. In a process of its own,
 * for what it compiles is no part of a launch.
 */
export async function prepare(folder: string): Promise<void> {
  Object.assign(process.env, environmentOf(folder));
  const context = launchContext({ folder, keep() {} });
  const store = await context.openStore(REF.store);
  await store.put?.(REF.path, { value: new Secret("nothing") }, { ifVersion: 0 });
  await context.files.writePrivate(join(context.home, "config.jsonc"), '{"stores": {"team": {"provider": "vault"}}}');
  await approve(context);
}

/**
 * One whole launch in the home that `prepare` has made in `folder`, so that what it loads and compiles is in the
 * snapshot. Leaves no timer, no listener and no variable behind: they would be there again at every start.
 */
export async function rehearse(folder: string): Promise<void> {
  const before = { ...process.env };
  try {
    Object.assign(process.env, environmentOf(folder));
    const context = launchContext({ folder, keep() {} });
    readSettings(context);
    encrypt();
    await runServer({ ...context, loadProcesses: async () => untimed(await context.loadProcesses()) }, LAUNCH);
    await new Promise((done) => setTimeout(done, CLEARING));
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, before);
    for (const name of process.eventNames()) if (String(name).startsWith("SIG")) process.removeAllListeners(name);
  }
}

function environmentOf(folder: string) {
  return { HOME: folder, MCPS_HOME: join(folder, "home"), REHEARSAL: formatRef(REF) };
}

async function approve({ files, home, pid, now, random }: RunContext): Promise<void> {
  const config = join(home, "rehearsal.json");
  const args = ["run", "--entry", LAUNCH.entry, "--", ...LAUNCH.words];
  const env = { REHEARSAL: formatRef(REF) };
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

/** What launches share of what they read from a vault is encrypted so (providers/vault/shared.ts). */
function encrypt(): void {
  const [key, iv] = [createHmac("sha256", "nothing").digest(), Buffer.alloc(12)];
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  const sealed = Buffer.concat([cipher.update("nothing"), cipher.final()]);
  const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: 16 });
  decipher.setAuthTag(cipher.getAuthTag());
  Buffer.concat([decipher.update(sealed), decipher.final()]);
  createHash("sha256").update(sealed).digest("hex");
}

/** A timer of the rehearsal would act on whatever process has the number of its child by then. */
function untimed(processes: Processes): Processes {
  return { ...processes, after() {}, onInputEnd() {} };
}
