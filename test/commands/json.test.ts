import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runApprovals } from "../../src/commands/approvals.ts";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runList } from "../../src/commands/list.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runPs } from "../../src/commands/ps.ts";
import { runReap, runRevoke } from "../../src/commands/reap.ts";
import { runRestore } from "../../src/commands/restore.ts";
import { runInstallCron } from "../../src/commands/rotate-cron.ts";
import { runRotateStatus } from "../../src/commands/rotate-status.ts";
import { runRotate } from "../../src/commands/rotate.ts";
import { runScan } from "../../src/commands/scan.ts";
import { runStoreCheck, runStoreList } from "../../src/commands/store.ts";
import { noteFolder } from "../../src/launch/lease-folder.ts";
import { recordLaunch } from "../../src/launch/registry.ts";
import { testContext } from "../helpers/context.ts";
import { mcpSecrets } from "../helpers/cli.ts";
import { published } from "../helpers/schema.ts";

/** Every `--json` output against its published schema, on a home where there is something to tell. */

const world = testContext();
const { context } = world;
const config = join(world.folder, "config.json");
const broken = join(world.folder, "broken.json");
const json = { json: true } as const;

const CONFIG = {
  mcpServers: {
    mail: { command: "mail", env: { API_KEY: "k3J9sQ2vXw7Lm4Np8Rt1" } },
    db: { command: "psql", args: ["postgresql://a:s3cret-9@h/c", "--token=q7Rt2LmZx94KvBn1Yc8W"] },
    far: { url: "https://h/mcp", headers: { Authorization: "Bearer q7Rt2LmZx94KvBn1Yc8W" } },
    wrong: { command: "x", args: 7 },
  },
};

beforeAll(() => {
  writeFileSync(config, JSON.stringify(CONFIG));
  writeFileSync(broken, "{");
});
afterAll(() => world[Symbol.dispose]());

const outputs: Record<string, () => Promise<unknown>> = {
  scan: () => runScan(context, { config: [config, broken], ...json }),
  migrate: () => runMigrate(context, { config: [config, broken], store: "local", yes: true, ...json }),
  list: () => runList(context, json),
  approvals: () => runApprovals(context, json),
  ps: () => runPs(context, json),
  doctor: () => runDoctor(context, json),
  "rotate-status": () => runRotateStatus(context, json),
  "rotate-install-cron": () => runInstallCron(context, { for: "systemd", ...json }),
  "store-list": () => runStoreList(context, json),
  "store-check": () => runStoreCheck(context, "local", json),
  reap: () => runReap(context, json),
  revoke: () => runRevoke(context, undefined, { all: true, ...json }),
  restore: () => runRestore(context, { config: [config], yes: true, ...json }),
};

/** Of a launch that is gone. */
function leaveNote(name: string): void {
  const folder = noteFolder(context.home);
  mkdirSync(folder, { recursive: true });
  const note = { v: 1, launch: name, entry: "custom/mail", pid: 2 ** 22 + 1, started: "1", stores: {} };
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(note));
}

describe("--json", () => {
  it.each(Object.keys(outputs))("%s is as published", async (name) => {
    if (name === "ps") {
      const launch = { id: "l1", entry: "custom/mail", pid: process.pid, started: context.startOf(process.pid) ?? "" };
      recordLaunch(context, {
        v: 1,
        ...launch,
        since: new Date().toISOString(),
        refs: [{ ref: "mcp-secret://local/a/b", version: 1 }],
      });
    }
    if (name === "reap" || name === "revoke") leaveNote(name);
    await outputs[name]?.();
    const { out } = world.taken();
    const document = published(name, out) as Record<string, unknown>;
    const [list] = Object.values(document).filter(Array.isArray);
    expect(list?.length, "the document tells something").toBeGreaterThan(0);
    for (const secret of ["k3J9sQ2vXw7Lm4Np8Rt1", "s3cret-9", "q7Rt2LmZx94KvBn1Yc8W"])
      expect(out).not.toContain(secret);
  });

  it("rotate is as published, line by line", async () => {
    await runRotate(context, [], { exposed: true, dryRun: true, ...json });
    await runRotate(context, ["mcp-secret://local/no/secret"], { settle: true, ...json });
    const lines = world.taken().out.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) published("rotate", line);
  });

  it("restore --list is as published", async () => {
    await runMigrate(context, { config: [config], store: "local", yes: true, ...json });
    world.taken();
    await runRestore(context, { list: true, ...json });
    expect(published("restore", world.taken().out)).toMatchObject({ migrations: [{ client: expect.any(String) }] });
  });

  it("an error is one line on stderr, as published, and nothing is on stdout", async () => {
    const { code, stdout, stderr } = await mcpSecrets(["restore", "--config", "nowhere.json", "--json"], {
      env: { HOME: world.folder, PATH: process.env["PATH"] ?? "" },
      cwd: world.folder,
    });
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(published("error", stderr)).toMatchObject({ exit: code });
  });

  it("no schema is without its output", () => {
    const schemas = readdirSync(join("docs", "schemas")).map((name) => name.replace(".json", ""));
    expect(schemas.toSorted()).toEqual([...Object.keys(outputs), "rotate", "error"].toSorted());
  });
});
