import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runApprove } from "../../src/commands/approve.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runSet } from "../../src/commands/set.ts";
import { listApprovals } from "../../src/launch/approvals.ts";
import { type TestContext, testContext } from "../helpers/context.ts";
import { withTerminal } from "../helpers/terminal.ts";

/** What `migrate` approves by itself: only what it can have made out of values that stood in the entry. */

interface Server {
  command: string;
  args: string[];
  env: Record<string, string>;
}

const GOOD: Server = { command: "node", args: ["x"], env: { API_KEY: "k3J9sQ2vXw7Lm4Np8Rt1" } };
const NAMED = "mcp-secret://local/good/API_KEY";

let at: TestContext;
let config: string;
beforeEach(() => {
  at = testContext();
  config = join(at.folder, "config.json");
});
afterEach(() => at[Symbol.dispose]());

const servers = (): Record<string, Server> => JSON.parse(readFileSync(config, "utf8")).mcpServers;
const write = (all: Record<string, unknown>) => writeFileSync(config, JSON.stringify({ mcpServers: all }));
const approved = () => listApprovals(at.context).map(({ id }) => id.replace(/.*\//, ""));

async function migrate(options: { dryRun?: boolean } = {}) {
  at.taken();
  const exit = await runMigrate(at.context, { config: [config], store: "local", yes: true, ...options });
  return { exit, ...at.taken() };
}

async function approve(server: string) {
  const id = servers()[server]?.args[2] ?? "";
  return runApprove(withTerminal(at.context, { typed: ["y"] }), id);
}

describe("an entry that names a stored secret is left for the user", () => {
  test.each<[string, Server]>([
    ["and nothing else", { command: "sh", args: ["-c", "echo $X"], env: { X: NAMED } }],
    ["beside a value of its own", { ...GOOD, env: { X: NAMED, API_KEY: "z9K4mPq7Tn2Wv5Yb8Jd3" } }],
    ["in another spelling", { command: "sh", args: ["-c", `${NAMED}#value`], env: {} }],
  ])("%s", async (_, evil) => {
    write({ good: GOOD });
    await migrate();
    write({ ...servers(), evil });
    const { exit, out, err } = await migrate();
    expect(exit).toBe(0);
    expect(approved()).toEqual(["good"]);
    expect(servers()["evil"]?.args.slice(0, 2)).toEqual(["run", "--entry"]);
    expect(out).toContain(`evil names stored secrets (${NAMED}): approve decides. It starts\n  "${evil.command}"\n`);
    const id = servers()["evil"]?.args[2] ?? "";
    expect(err).toContain(`hint: mcp-secrets approve ${id}\n`);
    await approve("evil");
    expect(approved()).toEqual(["evil", "good"]);
  });

  test("of a server that is migrated in the same run", async () => {
    write({ good: GOOD, evil: { command: "sh", args: [], env: { X: NAMED } } });
    const { out } = await migrate();
    expect(approved()).toEqual(["good"]);
    expect(out).toContain(`evil names stored secrets (${NAMED})`);
  });

  test("or puts a value of its own into an approved entry, with another command", async () => {
    write({ good: GOOD });
    await migrate();
    const { good } = servers();
    write({
      good: {
        ...good,
        args: [...(good?.args.slice(0, 4) ?? []), "sh", "-c", "evil"],
        env: { ...good?.env, B_TOKEN: "z9K4mPq7Tn2Wv5Yb8Jd3" },
      },
    });
    const before = listApprovals(at.context);
    const { out } = await migrate();
    expect(listApprovals(at.context)).toEqual(before);
    expect(out).toContain('It starts\n  "sh"\n  "-c"\n  "evil"\n');
  });

  test("and the plan says so before anything is touched", async () => {
    write({ good: GOOD });
    await migrate();
    write({ ...servers(), evil: { command: "sh", args: ["-c", "a\u001b[2K\nb"], env: { X: NAMED } } });
    const { out } = await migrate({ dryRun: true });
    expect(out).toContain(String.raw`  "a\u001b[2K\nb"`);
    expect(approved()).toEqual(["good"]);
  });
});

describe("nobody is asked", () => {
  test("where every reference takes the place of a value, whoever has it stored already", async () => {
    write({ good: GOOD });
    await migrate();
    write({ ...servers(), twin: { ...GOOD, env: { OTHER_API_KEY: "k3J9sQ2vXw7Lm4Np8Rt1" } } });
    const { out, err } = await migrate();
    expect(approved()).toEqual(["good", "twin"]);
    expect(servers()["twin"]?.env).toEqual({ OTHER_API_KEY: NAMED });
    expect(out + err).not.toContain("approve");
  });

  test("where a value stands in a URL with a fragment, so that its field is written out", async () => {
    write({ k0: { command: "x", args: [], env: { A_URL: "https://x.example/sse?token=q7Rt2LmZx94KvBn1Yc8W#frag" } } });
    const { out } = await migrate();
    expect(servers()["k0"]?.env["A_URL"]).toContain("#value#frag");
    expect(out).not.toContain("names stored secrets");
    expect(approved()).toEqual(["k0"]);
  });

  test("for an entry that was approved as it was, with a value beside the reference", async () => {
    write({ good: GOOD });
    await migrate();
    const { good } = servers();
    write({ good: { ...good, env: { ...good?.env, B_TOKEN: "z9K4mPq7Tn2Wv5Yb8Jd3" } } });
    await approve("good");
    const { out, err } = await migrate();
    expect(listApprovals(at.context)[0]?.env.map(({ text }) => text)).toEqual([
      NAMED,
      "mcp-secret://local/good/B_TOKEN",
    ]);
    expect(out + err).not.toContain("approve");
  });
});

test("references that lead nowhere are told before anything is done", async () => {
  const env = { A: "mcp-secret://local/no/such", B: "mcp-secret://nowhere/x", C: NAMED, D: `${NAMED}#other` };
  write({ good: GOOD });
  await migrate();
  write({ ...servers(), odd: { command: "x", args: [], env } });
  const { err } = await migrate({ dryRun: true });
  expect(err.split("\n").filter((line) => line.includes("warning: odd:"))).toEqual([
    "[mcp-secrets] warning: odd: there is no secret mcp-secret://local/no/such",
    "[mcp-secrets] warning: odd: there is no store nowhere",
    `[mcp-secrets] warning: odd: there is no secret ${NAMED}#other`,
  ]);
  expect(err).toContain(`hint: mcp-secrets set ${NAMED}#other\n`);
});

test("an entry with what is no reference stays, and does not keep the others from moving", async () => {
  await runSet(withTerminal(at.context, { stdin: "x" }), "mcp-secret://local/a/b");
  write({ good: GOOD, odd: { command: "x", args: ["mcp-secret://local"], env: {} } });
  const { exit } = await migrate();
  expect(exit).toBe(0);
  expect(servers()["odd"]?.command).toBe("x");
  expect(approved()).toEqual(["good"]);
});
