import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Home, execute, makeHome, mcpSecrets } from "../helpers/cli.ts";
import { until } from "../helpers/launched.ts";
import { entryOf, migrated, type ServerEntry } from "../helpers/migrated.ts";

/** Real launches: what is due is done by a process of its own, after the server has its start. */

const REF = "mcp-secret://local/mail/MAIL_TOKEN";
const VALUE = "k3J9sQ2vXw7Lm4Np8Rt1";

async function home(rotation: object): Promise<{ readonly at: Home; readonly entry: ServerEntry }> {
  const at = makeHome();
  const server = { command: "node", args: ["-e", "process.stdout.write(process.env.MAIL_TOKEN)"] };
  const entries = await migrated(at, { mail: { ...server, env: { MAIL_TOKEN: VALUE } } });
  mkdirSync(join(at.home, ".mcp-secrets"), { recursive: true });
  writeFileSync(join(at.home, ".mcp-secrets/config.jsonc"), JSON.stringify({ rotation }));
  return { at, entry: entryOf(entries, "mail") };
}

function launch(at: Home, { command, args, env }: ServerEntry) {
  return execute(command, args, { env: { ...at.env, ...env, CANARY: "canary-of-the-client" }, cwd: at.work });
}

/** What the last look of `rotate --due` found; a launch that only started one leaves another time there. */
function due(at: Home): string {
  const path = join(at.home, ".mcp-secrets/rotation/due");
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

test.runIf(process.platform === "linux")(
  "a launch starts the work once, and it gets no secret and ends nobody's child",
  async () => {
    const { at, entry } = await home({ [REF]: { target: "human", maxAge: "30d" } });
    using _ = at;
    const launches = await Promise.all([1, 2, 3].map(() => launch(at, entry)));
    for (const { code, stdout, stderr } of launches)
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: VALUE, stderr: "" });
    const started = due(at);
    expect(Number(started.split(" ")[1])).toBeGreaterThan(Date.now());

    let workers: readonly string[] = [];
    await until(() => (workers = workersOf(at)).length > 0, 15_000);
    expect(workers.length).toBeGreaterThan(0);
    for (const text of workers) {
      expect(text).not.toContain(VALUE);
      expect(text).not.toContain("canary-of-the-client");
    }
    // The work is done: the next look is when the schedule says.
    expect(await until(() => due(at) !== started && workersOf(at).length === 0, 20_000)).toBe(true);
    const next = Number(due(at).split(" ")[1]);
    expect(next).toBeGreaterThan(Date.now() + 28 * 86_400_000);
    await launch(at, entry);
    expect(Number(due(at).split(" ")[1])).toBe(next);
  },
);

test("where cron does it, launches leave it alone from the first look on", async () => {
  const { at, entry } = await home({ trigger: "cron", [REF]: { target: "human", maxAge: "1s" } });
  using _ = at;
  expect((await mcpSecrets(["rotate", "--due"], { env: at.env })).code).toBe(0);
  expect(due(at)).toMatch(/ never \d+$/);
  await launch(at, entry);
  expect(due(at)).toMatch(/ never \d+$/);
});

/** Arguments and environment of every process that works for this home. */
function workersOf(at: Home): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        if (!words.includes("\0rotate\0--due\0") || words.startsWith("/bin/sh")) return [];
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        return environment.includes(`HOME=${at.home}`) ? [`${words}${environment}`] : [];
      } catch {
        return [];
      }
    });
}
