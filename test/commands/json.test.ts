import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runApprovals } from "../../src/commands/approvals.ts";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runList } from "../../src/commands/list.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runPs } from "../../src/commands/ps.ts";
import { runRestore } from "../../src/commands/restore.ts";
import { runScan } from "../../src/commands/scan.ts";
import { recordLaunch } from "../../src/launch/registry.ts";
import { testContext } from "../helpers/context.ts";
import { mcpSecrets } from "../helpers/cli.ts";

/** Every `--json` output against its published schema, on a home where there is something to tell. */

const ajv = new Ajv({ strict: true, allErrors: true, formats: { "date-time": true } });
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

function valid(name: string, text: string): unknown {
  const schema: unknown = JSON.parse(readFileSync(join("docs", "schemas", `${name}.json`), "utf8"));
  const document: unknown = JSON.parse(text);
  const check = ajv.getSchema(`mcp-secrets/${name}/1`) ?? ajv.compile(schema as object);
  expect(check(document), JSON.stringify(check.errors)).toBe(true);
  return document;
}

const outputs: Record<string, () => Promise<unknown>> = {
  scan: () => runScan(context, { config: [config, broken], ...json }),
  migrate: () => runMigrate(context, { config: [config, broken], store: "local", yes: true, ...json }),
  list: () => runList(context, json),
  approvals: () => runApprovals(context, json),
  ps: () => runPs(context, json),
  doctor: () => runDoctor(context, json),
  restore: () => runRestore(context, { config: [config], yes: true, ...json }),
};

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
    await outputs[name]?.();
    const { out } = world.taken();
    const document = valid(name, out) as Record<string, unknown>;
    const [list] = Object.values(document).filter(Array.isArray);
    expect(list?.length, "the document tells something").toBeGreaterThan(0);
    for (const secret of ["k3J9sQ2vXw7Lm4Np8Rt1", "s3cret-9", "q7Rt2LmZx94KvBn1Yc8W"])
      expect(out).not.toContain(secret);
  });

  it("restore --list is as published", async () => {
    await runMigrate(context, { config: [config], store: "local", yes: true, ...json });
    world.taken();
    await runRestore(context, { list: true, ...json });
    expect(valid("restore", world.taken().out)).toMatchObject({ migrations: [{ client: expect.any(String) }] });
  });

  it("an error is one line on stderr, as published, and nothing is on stdout", async () => {
    const { code, stdout, stderr } = await mcpSecrets(["restore", "--config", "nowhere.json", "--json"], {
      env: { HOME: world.folder, PATH: process.env["PATH"] ?? "" },
      cwd: world.folder,
    });
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(valid("error", stderr)).toMatchObject({ exit: code });
  });

  it("no schema is without its output", () => {
    const published = readdirSync(join("docs", "schemas")).map((name) => name.replace(".json", ""));
    expect(published.toSorted()).toEqual([...Object.keys(outputs), "error"].toSorted());
  });
});
