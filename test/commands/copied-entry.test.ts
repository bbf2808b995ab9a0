import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runApprove } from "../../src/commands/approve.ts";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runRestore } from "../../src/commands/restore.ts";
import { checkApproval } from "../../src/launch/approvals.ts";
import { type TestContext, testContext } from "../helpers/context.ts";
import { withTerminal } from "../helpers/terminal.ts";

/** A user renames, copies or moves a migrated entry: what `run`, `doctor` and `approve` say of it, and what heals it. */

interface Server {
  command: string;
  args: string[];
  env: Record<string, string>;
}

let at: TestContext;
let config: string;
beforeEach(async () => {
  at = testContext();
  config = join(at.folder, "a b.json");
  write({ gh: { command: "node", args: ["x"], env: { API_KEY: "k3J9sQ2vXw7Lm4Np8Rt1" } } });
  await migrate();
  rmSync(join(at.context.home, "rotation"), { recursive: true });
});
afterEach(() => at[Symbol.dispose]());

const servers = (path = config): Record<string, Server> => JSON.parse(readFileSync(path, "utf8")).mcpServers;
const write = (all: Record<string, unknown>, path = config) => writeFileSync(path, JSON.stringify({ mcpServers: all }));
const idOf = (server: Server | undefined) => server?.args[2] ?? "";

async function migrate(path = config) {
  await runMigrate(at.context, { config: [path], store: "local", yes: true });
  return at.taken();
}

async function doctor(): Promise<string[]> {
  at.taken();
  await runDoctor(at.context, { json: true });
  const checks: { state: string; detail: string; hint?: string }[] = JSON.parse(at.taken().out).checks;
  return checks.filter(({ state }) => state === "problem").map(({ detail, hint }) => `${detail}; ${hint ?? ""}`);
}

/** What a launch of an entry says; nothing where it may start. */
function launch(server: Server | undefined): string {
  try {
    checkApproval(at.context, idOf(server), { words: server?.args.slice(4) ?? [], env: server?.env ?? {} });
    return "";
  } catch (error) {
    return error instanceof Error && "hint" in error ? `${error.message}; ${String(error.hint)}` : String(error);
  }
}

test("renamed: told by its old name, and approve leads the word to the new one", async () => {
  const { gh } = servers();
  write({ github: gh });
  const id = idOf(gh);
  expect(launch(gh)).toContain(`its name or place in ${config}; mcp-secrets approve ${id}`);
  expect(await doctor()).toEqual([`changed since it was approved: its name, which was gh; mcp-secrets approve ${id}`]);
  await runApprove(withTerminal(at.context, { typed: ["y"] }), id);
  expect(launch(gh)).toBe("");
  expect(await doctor()).toEqual([]);
});

test("copied: nothing starts on one word for two, and migrate gives the copy an id of its own", async () => {
  const { gh } = servers();
  const before = readFileSync(config);
  write({ gh2: gh, gh });
  const id = idOf(gh);
  const hint = `mcp-secrets migrate --config '${config}'`;
  expect(launch(gh)).toContain(`several entries of ${config} start as it; ${hint}`);
  expect(await doctor()).toEqual([`it is a copy: ${id}, under which it starts, is another entry; ${hint}`]);
  await expect(runApprove(at.context, id)).rejects.toMatchObject({ hint: expect.stringContaining(hint) });
  await migrate();
  expect(servers()).toEqual({ gh2: { ...gh, args: gh?.args.with(2, `${id}2`) }, gh });
  expect([launch(gh), launch(servers()["gh2"])]).toEqual(["", ""]);
  expect(await doctor()).toEqual([]);
  // And back: both were the same entry.
  await runRestore(at.context, { config: [config], yes: true });
  const restored = servers();
  expect(restored["gh2"]).toEqual(restored["gh"]);
  expect(restored["gh"]?.env["API_KEY"]).toBe("k3J9sQ2vXw7Lm4Np8Rt1");
  expect(before.toString()).toContain("mcp-secret://");
});

test("copied and changed: it gets an id of its own, and nobody's word", async () => {
  const { gh } = servers();
  write({ gh, gh2: { ...gh, args: gh?.args.with(4, "evil") } });
  const { err } = await migrate();
  const id = idOf(servers()["gh2"]);
  expect(id).not.toBe(idOf(gh));
  expect(err).toContain(`mcp-secrets approve ${id}`);
  expect([launch(gh), launch(servers()["gh2"])]).toEqual(["", expect.stringContaining("nobody has approved it")]);
});

test("copied into another config: an id of its own there, and the user is asked, for it starts in another folder", async () => {
  const other = join(at.folder, "other.json");
  const { gh } = servers();
  write({ gh }, other);
  const { err } = await migrate(other);
  const id = idOf(servers(other)["gh"]);
  expect(id).not.toBe(idOf(gh));
  expect(err).toContain(`mcp-secrets approve ${id}`);
  expect(launch(gh)).toBe("");
  await runApprove(withTerminal(at.context, { typed: ["y"] }), id);
  expect(launch(servers(other)["gh"])).toBe("");
});

test("a new entry under the name that a renamed one had gets another id", async () => {
  const { gh } = servers();
  write({ hub: gh, gh: { command: "node", args: [], env: { B_TOKEN: "z9K4mPq7Tn2Wv5Yb8Jd3" } } });
  await migrate();
  expect(idOf(servers()["gh"])).toBe(`${idOf(gh)}-2`);
  expect(launch(servers()["gh"])).toBe("");
});

test("a config that was moved: approve leads the word there, once the place is named", async () => {
  const moved = join(at.folder, "moved.json");
  const { gh } = servers();
  write({ gh }, moved);
  rmSync(config);
  const id = idOf(gh);
  const said = withTerminal(at.context, { typed: ["y"] });
  await expect(runApprove(said, id)).rejects.toMatchObject({
    hint: expect.stringContaining(`approve ${id} --config FILE`),
  });
  at.taken();
  await runApprove(said, id, { config: moved });
  expect(at.taken().out).toContain(`its config, which was ${config}`);
  expect(launch(gh)).toBe("");
});

test("an id that no config is known to have says where to look", async () => {
  await expect(runApprove(at.context, "custom@00000000/x")).rejects.toMatchObject({
    code: "usage",
    hint: expect.stringContaining("mcp-secrets approve custom@00000000/x --config FILE"),
  });
});
