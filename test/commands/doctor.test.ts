import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runDoctor } from "../../src/commands/doctor.ts";
import { runRestore } from "../../src/commands/restore.ts";
import { runRm } from "../../src/commands/rm.ts";
import { runWithdraw } from "../../src/commands/withdraw.ts";
import { checkApproval } from "../../src/launch/approvals.ts";
import { decrypt } from "../../providers/local/age/age.ts";
import { formatRecipient, generateIdentity } from "../../providers/local/age/keys.ts";
import { runMigrate } from "../../src/commands/migrate.ts";
import { runSet } from "../../src/commands/set.ts";
import type { Context } from "../../src/context.ts";
import { type TestContext, testContext } from "../helpers/context.ts";
import { withTerminal } from "../helpers/terminal.ts";

interface Check {
  readonly about: string;
  readonly state: string;
  readonly detail: string;
  readonly hint?: string;
}

let at: TestContext;
let config: string;
beforeEach(() => {
  at = testContext();
  config = join(at.folder, "config.json");
});
afterEach(() => at[Symbol.dispose]());

async function doctor(options: { fix?: boolean } = {}, context: Context = at.context) {
  at.taken();
  const exit = await runDoctor(context, { ...options, json: true });
  const checks: Check[] = JSON.parse(at.taken().out).checks;
  return { exit, checks, problems: checks.filter(({ state }) => state === "problem") };
}

async function migrated(count = 1): Promise<void> {
  const servers = Array.from({ length: count }, (_, index) => {
    return [`s${index}`, { command: "node", args: ["x"], env: { API_KEY: `k3J9sQ2vXw7Lm4Np8Rt${index}` } }];
  });
  writeFileSync(config, JSON.stringify({ mcpServers: Object.fromEntries(servers) }));
  expect(await runMigrate(at.context, { config: [config], store: "local", yes: true })).toBe(0);
  // As if all of it was rotated since: what is told of it until then is in rotate.test.ts.
  rmSync(inHome("rotation"), { recursive: true });
}

const inHome = (...names: string[]) => join(at.context.home, ...names);
const migrations = () => inHome("journal", "migrations");
const record = (end: string) => join(migrations(), readdirSync(migrations()).find((name) => name.endsWith(end)) ?? "");

describe("nothing is wrong", () => {
  test("with a user who has stored nothing", async () => {
    expect(await doctor()).toMatchObject({ exit: 0, problems: [] });
    expect(existsSync(at.context.home)).toBe(false);
  });

  test("with one who has only stored: no launcher is missed, and --fix installs none", async () => {
    await runSet(withTerminal(at.context, { stdin: "x" }), "mcp-secret://local/a/b");
    expect(await doctor()).toMatchObject({ exit: 0, problems: [] });
    expect(await doctor({ fix: true })).toMatchObject({ exit: 0, problems: [] });
    expect(existsSync(inHome("bin"))).toBe(false);
  });

  test("after a migrate", async () => {
    await migrated(3);
    const { exit, checks } = await doctor();
    expect(exit).toBe(0);
    expect(checks.filter(({ detail }) => detail === "approved, 1 references resolve")).toHaveLength(3);
  });
});

test("the launcher is missed where an entry starts through it, also with an empty home", async () => {
  await migrated();
  rmSync(inHome("bin"), { recursive: true });
  expect((await doctor()).problems).toMatchObject([{ about: "launcher", hint: "mcp-secrets doctor --fix" }]);
  expect(await doctor({ fix: true })).toMatchObject({ exit: 0 });
  const place = join(at.folder, ".config", "Claude");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "claude_desktop_config.json"), readFileSync(config));
  rmSync(at.context.home, { recursive: true });
  expect((await doctor()).problems).toMatchObject([{ about: "launcher" }, {}, {}]);
  await doctor({ fix: true });
  expect(existsSync(inHome("bin", "mcp-secrets"))).toBe(true);
});

describe.runIf(process.platform !== "win32")("rights", () => {
  const files: readonly (readonly [string, () => string])[] = [
    ["the identity", () => inHome("local", "identity")],
    ["the key of approvals", () => inHome("approvals.key")],
    ["the secrets", () => inHome("local", "secrets")],
    ["a secret", () => inHome("local", "secrets", "s0", "API_KEY.age")],
    ["the journal", () => inHome("journal")],
    ["a backup", () => record(".age")],
    ["the log", () => inHome("audit", "audit.jsonl")],
    ["the program", () => inHome("bin", "mcp-secrets")],
    ["the home", () => at.context.home],
  ];
  test.each(files)("%s is open to others: told, and mended by --fix", async (_, pathOf) => {
    await migrated();
    const path = pathOf();
    const mode = statSync(path).mode;
    chmodSync(path, mode | 0o044);
    const { exit, problems } = await doctor();
    expect(exit).toBe(1);
    expect(problems).toMatchObject([{ about: at.context.home, hint: "mcp-secrets doctor --fix" }]);
    expect(problems[0]?.detail).toContain(path);
    expect(await doctor({ fix: true })).toMatchObject({ exit: 0, problems: [] });
    expect(statSync(path).mode).toBe(mode);
  });

  test("others may write to the home: told with the command that mends it, and --fix does", async () => {
    await migrated();
    chmodSync(at.context.home, 0o777);
    const [first] = (await doctor()).problems;
    expect(first).toMatchObject({ about: at.context.home, hint: `chmod 700 ${at.context.home}` });
    expect(await doctor({ fix: true })).toMatchObject({ exit: 0 });
  });

  test("a home behind a link is looked through; a link inside leads nowhere", async () => {
    await migrated();
    const outside = join(at.folder, "outside");
    mkdirSync(outside, { mode: 0o755 });
    symlinkSync(outside, inHome("journal", "link"));
    symlinkSync(at.context.home, join(at.folder, "link"));
    chmodSync(inHome("local", "identity"), 0o644);
    const linked = { ...at.context, home: join(at.folder, "link") };
    expect((await doctor({}, linked)).problems[0]?.detail).toContain(join("link", "local", "identity"));
    await doctor({ fix: true });
    expect(statSync(outside).mode & 0o777).toBe(0o755);
  });

  test("a part that is a link to a folder of another purpose: told, and nothing there is changed", async () => {
    await migrated();
    const outside = join(at.folder, "outside");
    mkdirSync(outside, { mode: 0o755 });
    writeFileSync(join(outside, "page"), "", { mode: 0o644 });
    rmSync(inHome("audit"), { recursive: true });
    symlinkSync(outside, inHome("audit"));
    const { problems } = await doctor({ fix: true });
    expect(problems).toMatchObject([{ about: inHome("audit"), hint: expect.stringContaining("rm ") }]);
    expect([outside, join(outside, "page")].map((path) => statSync(path).mode & 0o777)).toEqual([0o755, 0o644]);
    chmodSync(outside, 0o700);
    expect(await doctor({ fix: true })).toMatchObject({ exit: 0, problems: [] });
    expect(statSync(join(outside, "page")).mode & 0o777).toBe(0o644);
  });

  test("another user owns it: told once, and --fix keeps off", async () => {
    await migrated();
    rmSync(inHome("bin"), { recursive: true });
    const other = { ...at.context, uid: at.context.uid + 1 };
    const { problems } = await doctor({ fix: true }, other);
    expect(problems.filter(({ detail }) => detail.includes("another user")).map(({ about }) => about)).toEqual([
      at.context.home,
      inHome("local"),
    ]);
    expect(existsSync(inHome("bin"))).toBe(false);
  });
});

describe("damage is a line of the table, and the rest is there", () => {
  const damages: readonly (readonly [string, () => void, RegExp])[] = [
    ["a record", () => writeFileSync(record(".json"), "{"), /record .* cannot be read/],
    ["a backup", () => writeFileSync(record(".age"), "x"), /restore cannot undo it: .*\.age/],
    ["a backup that is gone", () => rmSync(record(".age")), /restore cannot undo it: .*\.age/],
    ["a folder in place of a record", () => replaceByFolder(record(".json")), /EISDIR/],
    ["a folder in place of the approvals", () => replaceByFolder(inHome("approvals.json")), /EISDIR/],
    ["a secret", () => writeFileSync(inHome("local", "secrets", "s0", "API_KEY.age"), "x"), /is damaged/],
    ["the identity", () => rmSync(inHome("local", "identity")), /identity/],
    ["the config", () => writeFileSync(config, "{"), /cannot be read/],
  ];
  test.each(damages)("%s", async (_, damage, told) => {
    await migrated();
    damage();
    const { exit, checks, problems } = await doctor();
    expect(exit).toBe(1);
    expect(problems.map(({ detail }) => detail).join("\n")).toMatch(told);
    expect(checks.map(({ about }) => about)).toEqual(
      expect.arrayContaining([at.context.home, "launcher", "store local"]),
    );
    // And in --fix it is no end either.
    expect((await doctor({ fix: true })).checks.length).toBeGreaterThan(3);
  });

  function replaceByFolder(path: string): void {
    rmSync(path);
    mkdirSync(path, { mode: 0o700 });
  }

  test("a backup of another config", async () => {
    await migrated();
    const first = record(".age");
    const bytes = readFileSync(first);
    await migrated(2);
    const second = readdirSync(migrations()).map((name) => join(migrations(), name));
    for (const file of second) if (file.endsWith(".age") && file !== first) writeFileSync(file, bytes);
    expect((await doctor()).problems).toMatchObject([{ about: config, detail: expect.stringContaining("of another") }]);
  });
});

describe("approvals that do not count are told, and not only as if nobody had approved anything", () => {
  test.each<[string, () => void, RegExp]>([
    ["a file that is none", () => writeFileSync(inHome("approvals.json"), "{"), /approvals\.json is damaged; .*mv /],
    ["no key", () => rmSync(inHome("approvals.key")), /approvals\.key is gone, and 1 approvals with it/],
    ["half a key", () => writeFileSync(inHome("approvals.key"), "x"), /approvals\.key is damaged; .*rm /],
    [
      "another key",
      () => writeFileSync(inHome("approvals.key"), Buffer.alloc(32)),
      /no seal of ours is on custom@.*s0/,
    ],
    [
      "an approval of another shape",
      () => writeFileSync(inHome("approvals.json"), '{"v":1,"approvals":{"x/y":1}}'),
      /on x\/y/,
    ],
  ])("%s", async (_, damage, told) => {
    await migrated();
    damage();
    const { problems } = await doctor();
    expect(problems[0]?.about).toBe("approvals");
    expect(`${problems[0]?.detail}; ${problems[0]?.hint}`).toMatch(told);
    expect(() => checkApproval(at.context, "x/y", { words: [], env: {} })).toThrowError(
      expect.objectContaining({ message: `x/y is not approved: ${problems[0]?.detail}`, hint: "mcp-secrets doctor" }),
    );
  });
});

describe("a config that is gone", () => {
  test("is told while its entries are approved, with what clears it", async () => {
    await migrated(2);
    rmSync(config);
    const { problems } = await doctor();
    expect(problems).toMatchObject([
      { about: config, hint: expect.stringContaining(`approve --withdraw --config ${config}`) },
    ]);
    expect(await runWithdraw(at.context, { config })).toBe(0);
    expect(at.taken().out.match(/is not approved any more/g)).toHaveLength(2);
    expect(await doctor()).toMatchObject({ exit: 0, problems: [] });
    await expect(runWithdraw(at.context, { config })).rejects.toMatchObject({ code: "usage" });
  });
});

describe("who can read what is stored", () => {
  const recovery = generateIdentity().identity;

  test("a recovery key that is added later: warned of, and --fix writes secrets and backups for it too", async () => {
    await migrated(2);
    writeFileSync(inHome("local", "recipients"), `${formatRecipient(recovery.recipient)}\n`, { mode: 0o600 });
    const { exit, checks } = await doctor();
    expect(exit).toBe(0);
    expect(checks.filter(({ state }) => state === "warning")).toMatchObject([
      {
        about: "recipients",
        detail: expect.stringContaining("2 files of secrets and 1 backups"),
        hint: "mcp-secrets doctor --fix",
      },
    ]);
    const fixed = await doctor({ fix: true });
    expect(fixed.checks.filter(({ state }) => state !== "ok")).toEqual([]);
    expect(decrypt(readFileSync(record(".age")), [recovery]).toString()).toContain("k3J9sQ2vXw7Lm4Np8Rt0");
    expect(decrypt(readFileSync(inHome("local", "secrets", "s1", "API_KEY.age")), [recovery]).length).toBeGreaterThan(
      0,
    );
  });

  test("a key that does not open them: it is the key that is put back, and no backup", async () => {
    await migrated();
    writeFileSync(inHome("local", "identity"), generateIdentity().text, { mode: 0o600 });
    const { problems } = await doctor();
    const hints = problems.filter(({ detail }) => detail.includes("restore cannot undo")).map(({ hint }) => hint);
    expect(hints).toEqual([`put the right key back at ${inHome("local", "identity")}`]);
    await runRestore(at.context, { config: [config], dryRun: true });
    expect(at.taken().err).toContain(`hint: put the right key back at ${inHome("local", "identity")}`);
  });
});

test("a secret that was removed is not to be rotated: a person says that its value is dead", async () => {
  await migrated();
  const marks = { "mcp-secret://local/s0/API_KEY": { since: "2026-01-01T00:00:00.000Z", version: 1, places: [] } };
  mkdirSync(inHome("rotation"), { mode: 0o700 });
  writeFileSync(inHome("rotation", "exposed.json"), JSON.stringify({ v: 1, secrets: marks }), { mode: 0o600 });
  await runRm(at.context, "mcp-secret://local/s0/API_KEY", { yes: true });
  const { checks } = await doctor();
  expect(checks.filter(({ about }) => about.includes("s0/API_KEY") || about === "exposed")).toMatchObject([
    {
      state: "warning",
      detail: expect.stringMatching(/^removed: nobody has said/),
      hint: expect.stringContaining("--retired"),
    },
  ]);
});

test("what migrate leaves is not told with the hint to migrate", async () => {
  const url = "https://h/mcp";
  const headers = { Authorization: "Bearer k3J9sQ2vXw7Lm4Np8Rt0" };
  const line = { command: "serve --api-key k3J9sQ2vXw7Lm4Np8Rt0" };
  const place = join(at.folder, ".config", "Claude");
  mkdirSync(place, { recursive: true });
  writeFileSync(
    join(place, "claude_desktop_config.json"),
    JSON.stringify({ mcpServers: { far: { url, headers }, line } }),
  );
  const { problems } = await doctor();
  expect(problems.map(({ detail }) => detail)).toEqual([
    expect.stringContaining("a remote entry starts no process"),
    expect.stringContaining("a line for a shell"),
  ]);
  for (const { hint } of problems) expect(hint).toMatch(/^edit /);
});

test("entries: changed, unknown, with a reference that is none, and with plaintext again", async () => {
  await migrated(4);
  const text = readFileSync(config, "utf8");
  const { mcpServers } = JSON.parse(text);
  mcpServers.s0.args.push("more");
  mcpServers.s1.env.API_KEY = "mcp-secret://local/no/such";
  mcpServers.s2.env.API_KEY = "mcp-secret://local";
  mcpServers.s3 = { command: "node", args: ["x"], env: { API_KEY: "k3J9sQ2vXw7Lm4Np8Rt9" } };
  writeFileSync(config, JSON.stringify({ mcpServers }));
  const details = (await doctor()).problems.map(({ about, detail }) => `${about.replace(/.*\//, "")}: ${detail}`);
  expect(details).toEqual([
    expect.stringMatching(/^s0: .*changed since it was approved/),
    expect.stringMatching(/^s1: .*changed since it was approved/),
    "s1: no secret mcp-secret://local/no/such",
    expect.stringMatching(/^s2: not a reference/),
    expect.stringMatching(/^s3: the plaintext is back/),
  ]);
});

test("each file is read a fixed number of times, however many entries there are", async () => {
  const reads = async (count: number) => {
    rmSync(at.context.home, { recursive: true, force: true });
    await migrated(count);
    const counts = new Map<string, number>();
    const noted = (path: string) => void counts.set(path, (counts.get(path) ?? 0) + 1);
    const { files } = at.context;
    const counting = {
      ...files,
      read: (path: string) => (noted(path), files.read(path)),
      readIfExists: (path: string) => (noted(path), files.readIfExists(path)),
    };
    expect((await doctor({}, { ...at.context, files: counting })).exit).toBe(0);
    return Math.max(...counts.values());
  };
  expect(await reads(40)).toBe(await reads(2));
});
