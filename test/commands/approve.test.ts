import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runApprovals } from "../../src/commands/approvals.ts";
import { runApprove } from "../../src/commands/approve.ts";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runRestore } from "../../src/commands/restore.ts";
import { runWithdraw } from "../../src/commands/withdraw.ts";
import { listApprovals } from "../../src/launch/approvals.ts";
import { type TestContext, testContext } from "../helpers/context.ts";
import { execute } from "../helpers/cli.ts";
import { withTerminal } from "../helpers/terminal.ts";

/** A user with one migrated entry, and its id. */
async function migratedUser(user: TestContext): Promise<{ readonly config: string; readonly id: string }> {
  const config = join(user.folder, "config.json");
  const server = { command: "npx", args: ["-y", "server"], env: { API_KEY: "sk-live-4f8a1b0c7d2e-x", LEVEL: "low" } };
  writeFileSync(config, JSON.stringify({ mcpServers: { one: server } }));
  await runMigrate(user.context, { config: [config], store: "local", yes: true });
  user.taken();
  return { config, id: listApprovals(user.context)[0]?.id ?? "" };
}

function change(config: string, from: string, to: string): void {
  writeFileSync(config, readFileSync(config, "utf8").replace(from, to));
}

test("what migrate wrote is approved, and nobody is asked again", async () => {
  using user = testContext();
  const { id } = await migratedUser(user);
  expect(await runApprove(withTerminal(user.context, { typed: [] }), id)).toBe(0);
  expect(user.taken().out).toContain("approved as it is\n");
});

test("a change is shown whole, with what is no secret and without what is one, and approved at the terminal", async () => {
  using user = testContext();
  const { config, id } = await migratedUser(user);
  const long = `--long=${"x".repeat(500)}`;
  change(config, '"server"]', `"server","${long}"]`);
  change(config, '"LEVEL":"low"', '"LEVEL":"high","MORE":"y","DB_PASSWORD":"hunter2hunter2"');
  change(config, '"command":', '"cwd":"/srv/x","command":');
  expect(await runApprove(withTerminal(user.context, { typed: ["y"] }), id)).toBe(0);
  const { out } = user.taken();
  expect(out.replace(config, "CONFIG").replaceAll(id, "ID")).toBe(
    [
      "entry    ID",
      "config   CONFIG",
      "command  npx",
      "arg      -y",
      "arg      server",
      `arg      ${long}`,
      "env      API_KEY=mcp-secret://local/one/API_KEY",
      "env      LEVEL=high",
      "env      MORE=y",
      "env      DB_PASSWORD=[a secret in plain text]",
      'cwd      "/srv/x"',
      "secret   mcp-secret://local/one/API_KEY goes to the variable API_KEY",
      "changed since it was approved: the arguments, the value of LEVEL, the new variable MORE, the new variable DB_PASSWORD, cwd",
      "approved ID",
      "",
    ].join("\n"),
  );
  expect(listApprovals(user.context)[0]?.words).toEqual(["npx", "-y", "server", long]);
  const audit = readFileSync(join(user.context.home, "audit/audit.jsonl"), "utf8");
  expect(JSON.parse(audit.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({ event: "approved", entry: id });
});

test("what depends on the folder, loads code, or is seen by others is said", async () => {
  using user = testContext();
  const { config, id } = await migratedUser(user);
  change(config, '"npx"', '"./serve"');
  change(config, '"server"]', '"--key=mcp-secret://local/one/API_KEY"]');
  change(config, '"LEVEL":"low"', '"LD_PRELOAD":"/x.so","WHERE":"${HOME}/x"');
  await runApprove(withTerminal(user.context, { typed: ["y"] }), id);
  const { out } = user.taken();
  for (const line of [
    "secret   mcp-secret://local/one/API_KEY goes to argument 2, which every user of this machine can see",
    "secret   mcp-secret://local/one/API_KEY goes to the variable API_KEY",
    "note     the command ./serve is looked for in the folder that the client starts it in",
    "note     LD_PRELOAD loads code into every program, ld.so(8)",
  ]) {
    expect(out).toContain(`${line}\n`);
  }
  await runDoctor(user.context, {});
  const said = user.taken().out;
  expect(said).toMatch(/warning +\S+\/one +the command \.\/serve is looked for in the folder/);
  expect(said).toMatch(/warning +\S+\/one +LD_PRELOAD loads code/);
});

test.each([["n"], [""], [undefined], ["yess"]])("the answer %j is no word", async (typed) => {
  using user = testContext();
  const { config, id } = await migratedUser(user);
  const before = listApprovals(user.context);
  change(config, '"server"]', '"evil"]');
  await expect(runApprove(withTerminal(user.context, { typed: [typed] }), id)).rejects.toMatchObject({ exit: 78 });
  expect(listApprovals(user.context)).toEqual(before);
});

test("a text that would hide something is shown escaped", async () => {
  using user = testContext();
  const { config, id } = await migratedUser(user);
  change(config, '"server"]', String.raw`"a\u001b[2K\u202eb"]`);
  await runApprove(withTerminal(user.context, { typed: ["y"] }), id);
  expect(user.taken().out).toContain(String.raw`arg      a\u{1b}[2K\u{202e}b`);
});

test("without a terminal nobody can be asked", async () => {
  using user = testContext();
  const { config, id } = await migratedUser(user);
  change(config, '"server"]', '"evil"]');
  const env = { HOME: user.folder, PATH: process.env["PATH"] };
  // A session of its own has no controlling terminal, wherever the tests are run.
  const words = [process.execPath, "dist/launcher.cjs", "approve", id];
  const detach = `require("child_process").spawn(process.argv[1], process.argv.slice(2), { detached: true, stdio: "inherit" })
    .on("exit", (code) => process.exit(code))`;
  const { code, stderr } = await execute(process.execPath, ["-e", detach, ...words], { env });
  expect([code, stderr]).toEqual([78, expect.stringContaining(`hint: run mcp-secrets approve ${id} in a terminal`)]);
});

test("an entry that no config has", async () => {
  using user = testContext();
  await expect(runApprove(user.context, "claude-desktop/none")).rejects.toMatchObject({ code: "usage" });
});

test("a word that is taken back is none, and others stay", async () => {
  using user = testContext();
  const { id } = await migratedUser(user);
  await expect(runWithdraw(user.context, {})).rejects.toMatchObject({ code: "usage" });
  await expect(runWithdraw(user.context, { entry: "x/y" })).rejects.toMatchObject({ code: "usage" });
  expect(listApprovals(user.context)).toHaveLength(1);
  expect(await runWithdraw(user.context, { entry: id })).toBe(0);
  expect(listApprovals(user.context)).toEqual([]);
  expect(await runApprove(withTerminal(user.context, { typed: ["y"] }), id)).toBe(0);
  expect(listApprovals(user.context)).toHaveLength(1);
});

test("restore takes back the word for what it restores, and for nothing else", async () => {
  using user = testContext();
  const config = join(user.folder, "config.json");
  const server = (key: string) => ({ command: "npx", args: ["s"], env: { API_KEY: key } });
  writeFileSync(
    config,
    JSON.stringify({ mcpServers: { a: server("sk-live-4f8a1b0c7d2e-x"), b: server("sk-live-4f8a1b0c7d2e-y") } }),
  );
  await runMigrate(user.context, { config: [config], store: "local", yes: true });
  await runRestore(user.context, { config: [config], server: ["a"], yes: true });
  expect(listApprovals(user.context).map(({ id }) => id)).toEqual([expect.stringMatching(/\/b$/)]);
  await runRestore(user.context, { config: [config], yes: true });
  expect(listApprovals(user.context)).toEqual([]);
});

test("approvals are listed, as a table and as JSON", async () => {
  using user = testContext();
  expect(await runApprovals(user.context, {})).toBe(0);
  expect(user.taken().out).toBe("nothing is approved\n");
  const { config, id } = await migratedUser(user);
  await runApprovals(user.context, {});
  expect(user.taken().out).toMatch(/^ENTRY +SINCE +COMMAND\n\S+\/one +\S+Z +npx -y server\n$/);
  await runApprovals(user.context, { json: true });
  expect(JSON.parse(user.taken().out)).toMatchObject({
    schema: "mcp-secrets/approvals/1",
    approvals: [
      {
        entry: id,
        command: "npx",
        args: ["-y", "server"],
        env: ["API_KEY", "LEVEL"],
        references: ["mcp-secret://local/one/API_KEY"],
        config,
        pointer: "/mcpServers/one",
      },
    ],
  });
});
