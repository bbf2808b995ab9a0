import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LONG, execute, makeHome, mcpSecrets } from "./helpers/cli.ts";
import { entryOf, migrated } from "./helpers/migrated.ts";

const VALUE = "sk-live-5d41402abc4b2a76b9719d911017";

test("50 launches at once all start", async () => {
  using home = makeHome();
  const script = "console.log(process.env.API_KEY)";
  const servers = { one: { command: "node", args: ["-e", script], env: { API_KEY: VALUE } } };
  const { command, args, env } = entryOf(await migrated(home, servers), "one");
  const start = () => execute(command, args, { env: { ...home.env, ...env }, cwd: home.work });
  const all = await Promise.all(Array.from({ length: 50 }, start));
  expect(all.map(({ code, stdout }) => [code, stdout])).toEqual(all.map(() => [0, `${VALUE}\n`]));
  const audit = readFileSync(join(home.home, ".mcp-secrets/audit/audit.jsonl"), "utf8").trimEnd().split("\n");
  const events = audit.map((line) => JSON.parse(line).event);
  expect(events.filter((event) => event === "launched")).toHaveLength(50);
});

test("20 migrates at once give one correct file and one version per secret", async () => {
  using home = makeHome();
  const config = join(home.work, "config.json");
  const names = ["a", "b", "c", "d"];
  const valueOf = (name: string) => `${VALUE}${name}`;
  const servers = names.map((name) => [name, { command: "node", env: { API_KEY: valueOf(name) } }]);
  writeFileSync(config, JSON.stringify({ mcpServers: Object.fromEntries(servers) }));
  const start = () => mcpSecrets(["migrate", "--config", config, "--yes"], { env: home.env, cwd: home.work });
  const all = await Promise.all(Array.from({ length: 20 }, start));

  // Done, nothing left to do, or told to try again: never anything else.
  expect(all.filter(({ code }) => code !== 0 && code !== 75)).toEqual([]);
  expect(all.some(({ code }) => code === 0)).toBe(true);
  const entries = JSON.parse(readFileSync(config, "utf8")).mcpServers;
  for (const name of names) {
    const ref = `mcp-secret://local/${name}/API_KEY`;
    expect(entries[name].env.API_KEY).toBe(ref);
    expect(entries[name].args.filter((word: string) => word === "--entry")).toHaveLength(1);
    const got = await mcpSecrets(["get", ref, "--force-stdout"], { env: home.env });
    expect(got.stdout.trim()).toBe(valueOf(name));
  }
  const list = JSON.parse((await mcpSecrets(["list", "--json"], { env: home.env })).stdout);
  expect(
    list.secrets.map(({ reference, version }: { reference: string; version: number }) => [reference, version]),
  ).toEqual(names.map((name) => [`mcp-secret://local/${name}/API_KEY`, 1]));
});

/**
 * Another program adds a server to the config, atomically as editors do, at a random moment of a migrate. Its update is
 * there at the end, whoever won.
 */
test(`${LONG ? 1000 : 25} races of another writer lose no update`, { timeout: 1_800_000 }, async () => {
  using home = makeHome();
  const config = join(home.work, "config.json");
  const command = ["migrate", "--config", config, "--yes"];
  const writer = join(home.work, "writer.cjs");
  writeFileSync(
    writer,
    `const fs = require("fs");
     setTimeout(() => {
       const before = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
       before.mcpServers.added = { command: "added", args: [process.argv[3]] };
       fs.writeFileSync(process.argv[2] + ".editor", JSON.stringify(before));
       fs.renameSync(process.argv[2] + ".editor", process.argv[2]);
     }, Number(process.argv[4]));`,
  );
  // What a migrate takes here, so that the moments fall into it.
  const began = performance.now();
  writeFileSync(config, JSON.stringify({ mcpServers: { one: { command: "node", env: { API_KEY: VALUE } } } }));
  await mcpSecrets(command, { env: home.env });
  const span = performance.now() - began;

  let rewritten = 0;
  for (let round = 0; round < (LONG ? 1000 : 25); round += 1) {
    const value = `${VALUE}${round}`;
    writeFileSync(config, JSON.stringify({ mcpServers: { one: { command: "node", env: { API_KEY: value } } } }));
    const wait = String(Math.round(Math.random() * span));
    const [migrate, edit] = await Promise.all([
      mcpSecrets(command, { env: home.env }),
      execute(process.execPath, [writer, config, String(round), wait], { env: home.env }),
    ]);
    expect(edit.code, edit.stderr).toBe(0);
    expect([0, 75], migrate.stderr).toContain(migrate.code);
    const { added, one } = JSON.parse(readFileSync(config, "utf8")).mcpServers;
    expect(added, `round ${round}, after ${wait} ms: ${migrate.stderr}`).toMatchObject({ args: [String(round)] });
    if (one.env.API_KEY === value) continue;
    rewritten += 1;
    const got = await mcpSecrets(["get", one.env.API_KEY, "--force-stdout"], { env: home.env });
    expect(got.stdout.trim()).toBe(value);
  }
  expect(rewritten).toBeGreaterThan(0);
});
