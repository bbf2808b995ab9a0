import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { approveEntries } from "./helpers/approve.ts";
import { findCanaries } from "./helpers/canary.ts";
import { type Ended, execute, type Home, makeHome, mcpSecrets } from "./helpers/cli.ts";
import { entryOf, type ServerEntry } from "./helpers/migrated.ts";
import { writeIn } from "./providers/aws/store.ts";
import { auditEntries, type OpenBao, ROOT_TOKEN, startOpenBao } from "./servers/openbao.ts";
import { startStrictSecrets, type StrictSecrets } from "./servers/strict-secrets.ts";

/** Secrets go from store to store, by the built program: a local one, a real OpenBao, and a strict Secrets Manager. */

let bao: OpenBao;
let aws: StrictSecrets;
beforeAll(async () => void ([bao, aws] = await Promise.all([startOpenBao(), startStrictSecrets()])));
afterAll(async () => {
  await bao?.[Symbol.asyncDispose]();
  await aws?.[Symbol.asyncDispose]();
});

const SHOW = "console.log(JSON.stringify([process.argv.slice(1), process.env]))";
const TOKEN = "move-canary-token-1";
const CANARIES = [TOKEN, "move-canary-user", "move/canary@password", "move-canary-2"];

interface World {
  readonly home: Home;
  readonly config: string;
  cli(...args: string[]): Promise<Ended>;
  /** It must end with 0. */
  done(...args: string[]): Promise<Ended>;
  set(ref: string, value: string): Promise<void>;
  text(): string;
  entry(name: string): ServerEntry;
}

let mount = 0;

/** A user with three stores, whose paths in the vault and names in Secrets Manager nobody else has. */
async function makeWorld(): Promise<World> {
  const home = makeHome();
  onTestFinished(() => home[Symbol.dispose]());
  mount += 1;
  await bao.call("POST", `sys/mounts/kv-${mount}`, { type: "kv", options: { version: "2" } });
  writeFileSync(join(home.home, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  writeIn(home.home, ".aws/config", "[default]\nregion = eu-central-1\n");
  writeIn(
    home.home,
    ".aws/credentials",
    "[default]\naws_access_key_id = test\naws_secret_access_key = broker-canary\n",
  );
  const run = (args: readonly string[], input = "") => mcpSecrets(args, { env: home.env, cwd: home.work, input });
  const done = async (...args: string[]) => {
    const ended = await run(args);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    return ended;
  };
  const mounts = ["--mount", `kv=kv-${mount}`, "--mount", "db=engine:database/creds"];
  await done("store", "add", "team", "--provider", "vault", "--address", bao.address, ...mounts);
  const ends = ["--endpoint", aws.address, "--sts-endpoint", aws.address, "--prefix", `w${mount}/`];
  const role = ["--assume", "reader=arn:aws:iam::123456789012:role/reader"];
  await done("store", "add", "prod", "--provider", "aws", ...ends, ...role);
  const config = join(home.work, "config.json");
  const text = () => readFileSync(config, "utf8");
  return {
    home,
    config,
    cli: (...args) => run(args),
    done,
    set: async (ref, value) => expect(await run(["set", ref], value)).toMatchObject({ code: 0 }),
    text,
    entry: (name) => entryOf(JSON.parse(text().replace("// kept", "")).mcpServers, name),
  };
}

const CONFIG = `{
  // kept
  "mcpServers": {
    "mail": { "command": "node", "args": ["-e", ${JSON.stringify(SHOW)}, "url=postgres://mcp-secret://local/db/app#username:mcp-secret://local/db/app#password@h/d"], "env": { "MAIL_TOKEN": "${TOKEN}", "PLAIN": "1" } },
    "shop": { "command": "node", "args": ["-e", ${JSON.stringify(SHOW)}], "env": { "API_KEY": "${TOKEN}" } }
  }
}
`;

/** A config with references to the local store: to one that was found, twice, and to two fields of one. */
async function localConfig(world: World): Promise<void> {
  await world.set("mcp-secret://local/db/app#username", "move-canary-user");
  await world.set("mcp-secret://local/db/app#password", "move/canary@password");
  writeFileSync(world.config, CONFIG);
  await world.done("migrate", "--config", "config.json", "--yes");
  await approveEntries(world.home, world.config);
}

/** What a client that starts the entry gets: the last argument and the variables of the server. */
async function launched({ home, entry }: World, name: string): Promise<{ url: string; env: Record<string, string> }> {
  const { command, args, env } = entry(name);
  const ended = await execute(command, args, { env: { ...home.env, ...env } });
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  const [words, variables] = JSON.parse(ended.stdout);
  return { url: words.at(-1), env: variables };
}

async function serversGetTheirs(world: World): Promise<void> {
  const mail = await launched(world, "mail");
  expect(mail.url).toBe("url=postgres://move-canary-user:move%2Fcanary%40password@h/d");
  expect(mail.env).toMatchObject({ MAIL_TOKEN: TOKEN, PLAIN: "1" });
  expect((await launched(world, "shop")).env["API_KEY"]).toBe(TOKEN);
}

/** Launches have tokens of their own, which need a policy. */
async function letRun(world: World): Promise<void> {
  for (const server of ["mail", "shop"]) {
    const { stdout } = await world.done(
      "store",
      "policy",
      "--server",
      server,
      "--store",
      "team",
      "--config",
      "config.json",
    );
    await bao.call("POST", `sys/policies/acl/mcp-${server}`, { policy: stdout.split("# What the login")[0] ?? "" });
  }
}

const move = (world: World, store: string, ...more: string[]) =>
  world.done("migrate", "--config", "config.json", "--store", store, "--yes", ...more);

const copiesIn = (text: string) =>
  text.match(/mcp-secret:\/\/(local|team|prod)/g)?.map((found) => found.slice(13)) ?? [];

describe("every way between local, Vault and AWS", () => {
  test("values stay, one secret moves once, and at the end config and references are those of the beginning", async () => {
    const world = await makeWorld();
    await localConfig(world);
    const before = world.text();
    for (const store of ["team", "prod", "local", "prod", "team", "local"]) {
      const { stdout } = await move(world, store);
      expect(stdout).toContain("2 servers, 2 secrets from another store");
      expect([...new Set(copiesIn(world.text()))]).toEqual([store]);
      if (store === "team") await letRun(world);
      await serversGetTheirs(world);
      if (store === "local") expect(world.text()).toBe(before);
    }
    const { body } = await bao.call("LIST", `kv-${mount}/metadata/`);
    expect(body.data.keys).toEqual(["db/", "mail/"]);
    const { body: one } = await bao.call("GET", `kv-${mount}/data/db/app`);
    expect(one.data).toMatchObject({
      data: { username: "move-canary-user", password: "move/canary@password" },
      metadata: { version: 1 },
    });
    const named = (path: string) => [...(aws.secrets.get(`w${mount}/${path}`)?.versions.values() ?? [])];
    const mine = [...aws.secrets.keys()].filter((name) => name.startsWith(`w${mount}/`));
    expect([mine.length, named("db/app").length]).toEqual([2, 1]);
    // A plain value is the plain text of its secret.
    expect(named("mail/MAIL_TOKEN").map(({ text }) => text)).toEqual([TOKEN]);
    const listed = JSON.parse((await world.cli("list", "--json")).stdout).secrets;
    const local = listed.filter(({ reference }: { reference: string }) => reference.startsWith("mcp-secret://local/"));
    // Two fields, set one after the other.
    expect(local.map(({ version }: { version: number }) => version)).toEqual([2, 1]);
  });

  test("nothing of a value is in the audit log, in what is printed, or on disk but where it is encrypted", async () => {
    const world = await makeWorld();
    await localConfig(world);
    const printed: string[] = [];
    for (const store of ["team", "prod", "local"]) {
      for (const how of [["--dry-run"], ["--dry-run", "--json"], ["--yes"]]) {
        const { stdout, stderr } = await world.done("migrate", "--config", "config.json", "--store", store, ...how);
        printed.push(stdout, stderr);
      }
    }
    expect(CANARIES.filter((canary) => printed.some((text) => text.includes(canary)))).toEqual([]);
    expect(findCanaries([world.home.root], CANARIES)).toEqual([]);
    expect(findCanaries([join(world.home.home, ".mcp-secrets")], ["broker-canary", ROOT_TOKEN])).toEqual([]);
    const log = readFileSync(join(world.home.home, ".mcp-secrets/audit/audit.jsonl"), "utf8").trim().split("\n");
    const moves = log.map((line) => JSON.parse(line)).filter(({ event }) => event === "moved");
    expect(moves.map(({ from, refs }) => [from[0], refs[0]])).toEqual([
      ["mcp-secret://local/db/app", "mcp-secret://team/kv/db/app"],
      ["mcp-secret://team/kv/db/app", "mcp-secret://prod/db/app"],
      ["mcp-secret://prod/db/app", "mcp-secret://local/db/app"],
    ]);
  });
});

describe("what does not move", () => {
  test("anything, where the store was not named but is the default; --from says so too", async () => {
    const world = await makeWorld();
    await localConfig(world);
    const before = world.text();
    await world.done("store", "default", "prod");
    expect((await world.done("migrate", "--config", "config.json", "--yes")).stdout).toContain("nothing to do");
    expect(world.text()).toBe(before);
    expect(await world.cli("migrate", "--from", "prod")).toMatchObject({ code: 64 });
    expect(await world.cli("migrate", "--from", "nobody")).toMatchObject({ code: 65 });
    await world.done("migrate", "--config", "config.json", "--from", "team", "--yes");
    expect(world.text()).toBe(before);
    await world.done("migrate", "--config", "config.json", "--from", "local", "--yes");
    expect(world.text()).toContain("mcp-secret://prod/mail/MAIL_TOKEN");
  });

  test("with --dry-run nothing is touched, and a second run does nothing", async () => {
    const world = await makeWorld();
    await localConfig(world);
    const before = world.text();
    const asked = aws.asked.length;
    const { stdout } = await world.done("migrate", "--config", "config.json", "--store", "prod", "--dry-run");
    expect(stdout).toMatch(/mail +mcp-secret:\/\/local\/mail\/MAIL_TOKEN +mcp-secret:\/\/prod\/mail\/MAIL_TOKEN/);
    expect(world.text()).toBe(before);
    expect(aws.asked.slice(asked).filter(({ operation }) => !/^(Batch)?GetSecretValue$/.test(operation))).toEqual([]);
    await move(world, "prod");
    const state = () =>
      [".mcp-secrets/approvals.json", ".mcp-secrets/audit/audit.jsonl"].map((name) =>
        readFileSync(join(world.home.home, name), "utf8"),
      );
    const [after, again] = [world.text(), state()];
    expect((await move(world, "prod")).stdout).toContain("nothing to do");
    expect([world.text(), state()]).toEqual([after, again]);
  });

  test("what a store makes only when it is asked for: it is not asked for, and the plan says that it stays", async () => {
    const world = await makeWorld();
    await localConfig(world);
    const dynamic = { A: "mcp-secret://team/db/readonly#username", B: "mcp-secret://prod/role/reader#access_key_id" };
    const servers = { s: { command: "node", env: { ...dynamic, C: "mcp-secret://local/db/app#password" } } };
    writeFileSync(world.config, JSON.stringify({ mcpServers: servers }));
    await world.done("migrate", "--config", "config.json", "--yes");
    const asked = aws.asked.length;
    for (const [store, to] of [
      ["team", "team/kv/db/app"],
      ["prod", "prod/db/app"],
      ["local", "local/db/app"],
    ] as const) {
      const { stdout, stderr } = await move(world, store);
      const leftAt = Object.values(dynamic).filter((text) => !text.includes(`//${store}/`));
      for (const text of leftAt) expect(stdout).toMatch(new RegExp(`${text} +stays: `));
      expect(stderr).toContain("keeps a reference to store");
      expect(world.entry("s").env).toEqual({ ...dynamic, C: `mcp-secret://${to}#password` });
    }
    expect(aws.asked.slice(asked).filter(({ operation }) => operation === "AssumeRole")).toEqual([]);
    expect(auditEntries(bao).filter(({ request }) => request.path.startsWith("database/"))).toEqual([]);
  });
});

describe("the old copies", () => {
  test("stay for a config that was not selected, which is named; then they are told with the command that removes them", async () => {
    const world = await makeWorld();
    await localConfig(world);
    const other = join(world.home.work, "other.json");
    writeFileSync(
      other,
      JSON.stringify({ mcpServers: { o: { command: "node", env: { O: "mcp-secret://local/mail/MAIL_TOKEN" } } } }),
    );
    await world.done("migrate", "--config", "other.json", "--yes");
    const first = await move(world, "prod");
    expect(first.stdout).toContain(`mcp-secret://local/mail/MAIL_TOKEN stays as well, for ${other}\n`);
    expect(first.stdout).toContain("  mcp-secrets rm mcp-secret://local/db/app\n");
    expect(first.stdout).not.toContain("rm mcp-secret://local/mail/MAIL_TOKEN");
    const schema = JSON.parse(readFileSync("docs/schemas/migrate.json", "utf8"));
    const valid = new Ajv({ strict: true }).compile(schema);
    const dry = await world.done("migrate", "--config", "other.json", "--store", "prod", "--dry-run", "--json");
    expect(valid(JSON.parse(dry.stdout)), JSON.stringify(valid.errors)).toBe(true);
    const second = await world.done("migrate", "--config", "other.json", "--store", "prod", "--yes", "--json");
    expect(valid(JSON.parse(second.stdout)), JSON.stringify(valid.errors)).toBe(true);
    expect(JSON.parse(second.stdout)).toMatchObject({
      configs: [{ status: "migrated", moves: [{ reference: "mcp-secret://prod/mail/MAIL_TOKEN" }] }],
      old: [{ reference: "mcp-secret://local/mail/MAIL_TOKEN", referredBy: [] }],
    });
    const name = `w${mount}/mail/MAIL_TOKEN`;
    expect(aws.secrets.get(name)?.versions.size).toBe(1);
  });

  test("can go: restore still brings the bytes back; references that lead to nothing then are told", async () => {
    const world = await makeWorld();
    await localConfig(world);
    await move(world, "prod");
    await world.done("rm", "mcp-secret://local/mail/MAIL_TOKEN", "--yes");
    await world.done("rm", "mcp-secret://local/db/app", "--yes");
    await serversGetTheirs(world);
    const { stderr } = await world.done("restore", "--config", "config.json", "--yes");
    expect(world.text()).toBe(CONFIG);
    // Those of the database were never in plaintext there.
    expect(stderr).toContain("mcp-secret://local/db/app#username, which comes back, leads to nothing");
    expect(stderr).not.toContain("mail/MAIL_TOKEN, which");
  });
});

describe("approvals", () => {
  test("come back with a restore to references that were approved", async () => {
    const world = await makeWorld();
    await localConfig(world);
    const before = world.text();
    // As if somebody else had brought it to here.
    rmSync(join(world.home.home, ".mcp-secrets/journal/migrations"), { recursive: true });
    await move(world, "prod");
    await serversGetTheirs(world);
    // A store that does not answer leaves nothing to be said, and is not needed.
    aws.fault = () => ({ type: "error", name: "AccessDeniedException", status: 400 });
    const restored = await world.done("restore", "--config", "config.json", "--yes");
    aws.fault = () => undefined;
    expect(restored.stderr).toBe("");
    expect(world.text()).toBe(before);
    await serversGetTheirs(world);
  });

  test("go with the references, and are given to nothing that had none", async () => {
    const world = await makeWorld();
    await world.set("mcp-secret://local/a", TOKEN);
    const entry = { command: "node", args: ["-e", SHOW], env: { A: "mcp-secret://local/a" } };
    writeFileSync(world.config, JSON.stringify({ mcpServers: { good: entry, bad: entry } }));
    await world.done("migrate", "--config", "config.json", "--yes");
    await approveEntries(world.home, world.config);
    const restored = world.text();
    // Somebody edits an entry that was approved.
    writeFileSync(world.config, restored.replace(/("bad":.*?)"A":/, '$1"X": "mcp-secret://local/a", "A":'));
    const edited = world.text();
    const { stderr } = await move(world, "prod");
    expect(stderr).toMatch(
      /warning: custom@[0-9a-f]{8}\/bad names secrets that are stored already, and starts only once/,
    );
    expect(stderr).not.toMatch(/\/good names/);
    const start = async (name: string) => {
      const { command, args, env } = world.entry(name);
      return (await execute(command, args, { env: { ...world.home.env, ...env } })).code;
    };
    expect([await start("good"), await start("bad")]).toEqual([0, 78]);
    await world.done("migrate", "--config", "config.json", "--store", "local", "--yes");
    expect(world.text()).toBe(edited);
    expect([await start("good"), await start("bad")]).toEqual([0, 78]);
  });
});

test("a secret that is replaced while it is copied moves with its new value", async () => {
  const world = await makeWorld();
  await localConfig(world);
  let replaced: Promise<void> | undefined;
  aws.fault = ({ operation }) => {
    if (operation !== "CreateSecret" || replaced !== undefined) return undefined;
    replaced = world.set("mcp-secret://local/mail/MAIL_TOKEN", "move-canary-2");
    // It comes again, by when the other has written.
    return { type: "hang" };
  };
  await move(world, "prod");
  aws.fault = () => undefined;
  await replaced;
  const ref = world.entry("mail").env["MAIL_TOKEN"] ?? "";
  expect(ref).toContain("mcp-secret://prod/");
  expect((await world.done("get", ref, "--force-stdout")).stdout).toBe("move-canary-2");
});
