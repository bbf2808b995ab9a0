import { linkSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  type Ended,
  execute,
  type Home,
  LAUNCHER,
  LONG,
  makeHome,
  mcpSecrets,
  resetHome,
  saveHome,
} from "./helpers/cli.ts";
import { entryOf } from "./helpers/migrated.ts";
import { writeIn } from "./providers/aws/store.ts";
import { startStrictSecrets, type StrictSecrets } from "./servers/strict-secrets.ts";

/** A secret that is rotated goes to another store, and its rotation with it: by the built program. */

let aws: StrictSecrets;
beforeAll(async () => void (aws = await startStrictSecrets()));
afterAll(() => aws?.[Symbol.asyncDispose]());

const LOCAL = "mcp-secret://local/db/single";
const PROD = "mcp-secret://prod/db/single";
const FIRST = "rotated-canary-0";

/** An issuer that knows one valid value, and the user's program that asks it. */
const ISSUER = `
import { readFileSync, writeFileSync } from "node:fs";
const [file, action] = process.argv.slice(2);
const { fields } = JSON.parse(readFileSync(0, "utf8"));
const issued = JSON.parse(readFileSync(file, "utf8"));
const save = (values) => writeFileSync(file, JSON.stringify(values));
const answers = {
  create() {
    const value = "rotated-canary-" + (issued.count + 1);
    save({ count: issued.count + 1, valid: issued.overlap ? [...issued.valid, value] : [value], overlap: issued.overlap });
    return { fields: { value } };
  },
  test: () => ({ verdict: issued.valid.includes(fields.value) ? "valid" : "rejected" }),
  retire() {
    save({ ...issued, valid: issued.valid.filter((value) => value !== fields?.value) });
    return {};
  },
};
console.log(JSON.stringify(answers[action]()));
`;

interface World {
  readonly home: Home;
  cli(...args: string[]): Promise<Ended>;
  done(...args: string[]): Promise<Ended>;
  move(store: string, ...more: string[]): Promise<Ended>;
  /** The reference in a config. */
  reference(name?: string): string;
  settings(): string;
  /** The values that the issuer takes. */
  valid(): string[];
  value(ref: string): Promise<string>;
}

async function makeWorld(classes: "X" | "O" = "X", more = {}): Promise<World> {
  const home = makeHome();
  onTestFinished(() => home[Symbol.dispose]());
  aws.reset();
  writeIn(home.home, ".aws/config", "[default]\nregion = eu-central-1\n");
  writeIn(home.home, ".aws/credentials", "[default]\naws_access_key_id = test\naws_secret_access_key = test\n");
  const cli = (...args: string[]) => mcpSecrets(args, { env: home.env, cwd: home.work });
  const done = async (...args: string[]) => {
    const ended = await cli(...args);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    return ended;
  };
  await done("store", "add", "prod", "--provider", "aws", "--endpoint", aws.address, "--sts-endpoint", aws.address);
  const [issuer, issued] = [join(home.work, "issuer.mjs"), join(home.work, "issued.json")];
  writeFileSync(issuer, ISSUER);
  writeFileSync(issued, JSON.stringify({ count: 0, valid: [FIRST], overlap: classes === "O" }));
  const target = { target: "command", command: [process.execPath, issuer, issued], class: classes, ...more };
  const path = join(home.home, ".mcp-secrets/config.jsonc");
  const settings = () => readFileSync(path, "utf8");
  const rotation = `"rotation": {\n  // ours, by hand\n    "${LOCAL.replaceAll("/", "\\/")}" :  ${JSON.stringify(target)} , }`;
  writeFileSync(path, settings().replace(/\n}\s*$/, `,\n${rotation}\n}\n`));
  expect(await mcpSecrets(["set", LOCAL], { env: home.env, cwd: home.work, input: FIRST })).toMatchObject({ code: 0 });
  writeConfig(home, "config.json", LOCAL);
  await done("migrate", "--config", "config.json", "--yes");
  return {
    home,
    cli,
    done,
    move: (store, ...rest) => cli("migrate", "--config", "config.json", ...rest, "--store", store, "--yes"),
    reference: (name = "config.json") => {
      return entryOf(JSON.parse(readFileSync(join(home.work, name), "utf8")).mcpServers, "s").env["KEY"] ?? "";
    },
    settings,
    valid: () => JSON.parse(readFileSync(issued, "utf8")).valid,
    value: async (ref) => (await done("get", ref, "--force-stdout")).stdout,
  };
}

function writeConfig(home: Home, name: string, reference: string): void {
  const entry = { command: "node", args: ["-e", "0"], env: { KEY: reference } };
  writeFileSync(join(home.work, name), JSON.stringify({ mcpServers: { s: entry } }));
}

async function statusOf({ done }: World) {
  return JSON.parse((await done("rotate", "status", "--json")).stdout).secrets;
}

/** Until the old value is retired. */
async function rests(world: World): Promise<void> {
  for (;;) {
    const [secret] = await statusOf(world);
    if (secret.phase === "idle") return;
    await world.done("rotate", secret.reference);
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

test("settings and state go along, and back: what the config refers to is what is rotated", async () => {
  const world = await makeWorld("X", { grace: "1s" });
  await world.done("rotate", LOCAL);
  const [before] = await statusOf(world);
  const text = world.settings();
  const { stderr } = await world.move("prod");
  expect(stderr).toContain(`${LOCAL} is rotated as ${PROD} from now on`);
  expect(world.reference()).toBe(PROD);
  expect(world.settings()).toBe(text.replace(JSON.stringify(LOCAL).replaceAll("/", "\\/"), JSON.stringify(PROD)));
  // It is as old as it was, and what came of the last rotation is known.
  const [after] = await statusOf(world);
  expect(after).toMatchObject({ reference: PROD, last: before.last, madeAt: before.madeAt });
  await world.done("rotate", PROD);
  expect(world.valid()).toEqual([await world.value(PROD)]);
  // The old copy is rotated by nobody, whoever's settings name it.
  expect(await world.cli("rotate", LOCAL)).toMatchObject({ code: 70, stderr: expect.stringContaining(PROD) });
  await rests(world);
  // Its place holds another value by now.
  expect(await world.move("local")).toMatchObject({ code: 0 });
  expect(world.reference()).toBe(`${LOCAL}-2`);
  await world.done("rotate", `${LOCAL}-2`);
  expect(world.valid()).toEqual([await world.value(`${LOCAL}-2`)]);
});

test("there and back before anything was rotated: the old place is the one that is rotated again", async () => {
  const world = await makeWorld("X", { grace: "1s" });
  expect(await world.move("prod")).toMatchObject({ code: 0 });
  expect(await world.move("local")).toMatchObject({ code: 0 });
  expect(world.reference()).toBe(LOCAL);
  await world.done("rotate", LOCAL);
  expect(world.valid()).toEqual([await world.value(LOCAL)]);
});

describe("stays, and says why,", () => {
  test("while a rotation is under way; ended, it moves", async () => {
    const world = await makeWorld("O", { grace: "1h" });
    aws.reset();
    // Launches that nobody knows of count for an hour where the store is shared; here one holds it.
    const issued = join(world.home.work, "issued.json");
    const held = readFileSync(issued, "utf8");
    writeFileSync(issued, "not now");
    expect((await world.cli("rotate", LOCAL)).code).not.toBe(0);
    writeFileSync(issued, held);
    const { code, stderr } = await world.move("prod");
    expect([code, world.reference()]).toEqual([0, LOCAL]);
    expect(stderr).toMatch(/a rotation of it is under way \(\w+\): end it first with mcp-secrets rotate/);
    expect(aws.secrets.size).toBe(0);
    await world.done("rotate", LOCAL);
    await world.move("prod");
    expect(world.reference()).toBe(PROD);
  });

  test("where its config cannot be written: it is rotated where it is", async () => {
    const world = await makeWorld("X", { grace: "1s" });
    // The other name of the file would keep the old reference.
    linkSync(join(world.home.work, "config.json"), join(world.home.work, "second.json"));
    writeConfig(world.home, "other.json", "sk-live-4f8a1b0c7d2e-moved");
    expect(await world.move("prod", "--config", "other.json")).toMatchObject({ code: 73 });
    expect(world.reference()).toBe(LOCAL);
    expect(world.reference("other.json")).toContain("mcp-secret://prod/");
    await world.done("rotate", LOCAL);
    expect(world.valid()).toEqual([await world.value(LOCAL)]);
  });

  test("where another config refers to it as well; both at once move", async () => {
    const world = await makeWorld();
    writeConfig(world.home, "other.json", LOCAL);
    await world.done("migrate", "--config", "other.json", "--yes");
    const { code, stderr } = await world.move("prod");
    expect([code, world.reference()]).toEqual([0, LOCAL]);
    expect(stderr).toContain(`the copy that ${join(world.home.work, "other.json")} refers to`);
    expect(await world.move("prod", "--config", "other.json")).toMatchObject({ code: 0 });
    expect([world.reference(), world.reference("other.json")]).toEqual([PROD, PROD]);
    expect(world.settings()).toContain(PROD);
  });
});

test(
  "kill -9 at every step: never a config whose value a rotation has ended, and the same command ends it",
  async () => {
    const world = await makeWorld("X", { grace: "1s" });
    const { home } = world;
    const args = ["-r", resolve("test/helpers/kill-at.cjs"), LAUNCHER];
    const migrate = ["migrate", "--config", "config.json", "--store", "prod", "--yes"];
    const kill = (env: Readonly<Record<string, string>>) =>
      execute(process.execPath, [...args, ...migrate], {
        env: { ...home.env, KILL_CALLS: "1", ...env },
        cwd: home.work,
      });
    saveHome(home);
    const count = join(home.tmp, "count");
    expect(await kill({ KILL_COUNT: count })).toMatchObject({ code: 0 });
    const most = Number(readFileSync(count, "utf8"));
    expect(most).toBeGreaterThan(40);
    for (const k of steps(most)) {
      resetHome(home);
      aws.reset();
      const when = `step ${k} of ${most}`;
      expect((await kill({ KILL_AT: String(k) })).signal, when).toBe("SIGKILL");
      // What cron would do meanwhile: it rotates, or it does not.
      const [named] = JSON.parse((await world.cli("rotate", "status", "--json")).stdout).secrets;
      const turn = await world.cli("rotate", named.reference);
      expect([0, 70], `${when}: ${turn.stderr}`).toContain(turn.code);
      expect(world.valid(), when).toEqual([await world.value(world.reference())]);
      const healed = await world.move("prod");
      expect(healed, `${when}: ${healed.stderr}`).toMatchObject({ code: 0 });
      const moved = world.reference();
      expect(moved, when).toMatch(/^mcp-secret:\/\/prod\/db\/single(-2)?$/);
      expect(world.settings(), when).toContain(`"${moved}"`);
      await world.done("rotate", moved);
      expect(world.valid(), when).toEqual([await world.value(moved)]);
    }
  },
  LONG ? 3_600_000 : 300_000,
);

/** All of them, or one of each third: beside the copy, the journals, and the settings at the end. */
function steps(most: number): number[] {
  if (LONG) return Array.from({ length: most }, (_, at) => at + 1);
  return [0.3, 0.6, 0.97].map((part) => Math.round(part * most));
}
