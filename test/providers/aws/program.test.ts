import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  DescribeSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { findCanaries } from "../../helpers/canary.ts";
import { type Ended, ended, execute, type Home, LAUNCHER, LONG, makeHome, mcpSecrets } from "../../helpers/cli.ts";
import { entryOf, migrated, type ServerEntry } from "../../helpers/migrated.ts";
import { type AwsServer, startMinistack, startMoto } from "../../servers/aws.ts";
import { iamOf } from "../../servers/iam.ts";
import { startStrictSecrets } from "../../servers/strict-secrets.ts";
import { writeIn } from "./store.ts";

const TOKEN = "ghp_kT9vQ2mZx7LrB4nWc8YdS1hJf6PgAeU3oXiV";
/** Prints its variables, then waits for the end of its input. */
const SERVER = `console.log(JSON.stringify(process.env)); process.stdin.resume().on("end", () => process.exit(0));`;

let moto: AwsServer;
beforeAll(async () => void (moto = await startMoto()));
afterAll(() => moto?.[Symbol.asyncDispose]());

interface Team {
  readonly home: Home;
  cli(...args: string[]): Promise<Ended>;
}

/** A user whose keys lie in the default profile and whose default store is at `address`. */
async function makeTeam(address: string, keys: { id: string; secret: string }, ...more: string[]): Promise<Team> {
  const home = makeHome();
  onTestFinished(() => home[Symbol.dispose]());
  writeIn(home.home, ".aws/config", "[default]\nregion = eu-central-1\n");
  const text = `[default]\naws_access_key_id = ${keys.id}\naws_secret_access_key = ${keys.secret}\n`;
  writeIn(home.home, ".aws/credentials", text);
  const cli = (...args: string[]) => mcpSecrets(args, { env: home.env, cwd: home.work });
  const ends = ["--endpoint", address, "--sts-endpoint", address];
  const added = await cli("store", "add", "prod", "--provider", "aws", ...ends, ...more);
  expect(added).toMatchObject({ code: 0, stderr: "" });
  expect(await cli("store", "default", "prod")).toMatchObject({ code: 0 });
  return { home, cli };
}

const KEYS = { id: "test", secret: "broker-secret-canary" };

interface Running {
  readonly shown: Readonly<Record<string, string>>;
  readonly ended: Promise<Ended>;
  closeInput(): void;
}

async function start(home: Home, entry: ServerEntry): Promise<Running> {
  const broker = { AWS_PROFILE: "default", AWS_REGION: "eu-central-1" };
  const child = spawn(entry.command, entry.args, { env: { ...home.env, ...broker, ...entry.env }, stdio: "pipe" });
  const done = ended(child);
  const line = new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    void done.then(({ stderr }) => reject(new Error(stderr)));
  });
  return { shown: JSON.parse(await line), ended: done, closeInput: () => child.stdin.end() };
}

const server = (env: Readonly<Record<string, string>>) => ({ command: process.execPath, args: ["-e", SERVER], env });

describe("the whole way", () => {
  test("migrate, run and restore: the value is with the service and the server, and nowhere else", async () => {
    const { home, cli } = await makeTeam(moto.address, KEYS, "--prefix", "whole/", "--owner", "platform team");
    const config = join(home.work, "config.json");
    const original = JSON.stringify({ mcpServers: { github: server({ TOKEN }) } });
    const entries = await migrated(home, { github: server({ TOKEN }) });
    const entry = entryOf(entries, "github");
    expect(entry.env["TOKEN"]).toBe("mcp-secret://prod/github/TOKEN");
    expect(await tagsOf("whole/github/TOKEN")).toEqual({
      "mcp-secrets:managed": "true",
      "mcp-secrets:server": "github",
      "mcp-secrets:client": clientIn(entry),
      "mcp-secrets:owner": "platform team",
    });
    const running = await start(home, entry);
    expect(running.shown["TOKEN"]).toBe(TOKEN);
    expect(Object.keys(running.shown).filter((name) => name.startsWith("AWS_"))).toEqual([]);
    const [launch] = JSON.parse((await cli("ps", "--json")).stdout).launches;
    expect(launch.refs).toEqual([{ ref: "mcp-secret://prod/github/TOKEN", version: 1, current: 1 }]);
    running.closeInput();
    expect(await running.ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining("AWS SDK") });
    expect(findCanaries([home.root], [TOKEN])).toEqual([]);
    expect(await cli("restore", "--config", config, "--yes")).toMatchObject({ code: 0 });
    expect(readFileSync(config, "utf8")).toBe(original);
  });

  test("set, get, list, check and rm", async () => {
    const { home, cli } = await makeTeam(moto.address, KEYS, "--prefix", "hand/");
    const reference = "mcp-secret://prod/by-hand/x#token";
    const stored = await execute(process.execPath, [LAUNCHER, "set", reference], { env: home.env, input: "va/lue" });
    expect(stored).toMatchObject({ code: 0, stdout: `${reference} is stored, version 1\n`, stderr: "" });
    expect((await cli("get", reference, "--force-stdout")).stdout).toBe("va/lue");
    expect((await cli("list")).stdout).toContain("mcp-secret://prod/by-hand/x  token");
    expect(await cli("store", "check")).toMatchObject({ code: 0, stdout: expect.stringContaining("ok  asks as arn:") });
    expect(await cli("rm", "mcp-secret://prod/by-hand/x", "--yes")).toMatchObject({ code: 0 });
    const gone = await cli("get", reference, "--force-stdout");
    expect(gone).toMatchObject({ code: 69, stderr: expect.stringContaining("aws secretsmanager restore-secret") });
  });

  test("a version promoted elsewhere is seen by the next launch; ps shows who holds the old one", async () => {
    const { home, cli } = await makeTeam(moto.address, KEYS, "--prefix", "promoted/");
    const entry = entryOf(await migrated(home, { s: server({ TOKEN }) }), "s");
    const old = await start(home, entry);
    await promote("promoted/s/TOKEN", "another value");
    const fresh = await start(home, entry);
    expect([old.shown["TOKEN"], fresh.shown["TOKEN"]]).toEqual([TOKEN, "another value"]);
    const { launches } = JSON.parse((await cli("ps", "--json")).stdout);
    const [held, now] = launches.map(({ refs }: { refs: { version: number; current: number }[] }) => refs[0]);
    expect(now.version).toBeGreaterThan(2 ** 32);
    expect([held, now]).toMatchObject([{ version: 1, current: now.version }, { current: now.version }]);
    const lines = (await cli("ps")).stdout.trim().split("\n").slice(1);
    expect(lines.map((line) => line.includes("v1 (old: now v"))).toEqual([true, false]);
    for (const running of [old, fresh]) running.closeInput();
    await Promise.all([old.ended, fresh.ended]);
  });
});

/** The service itself, past the program. */
function direct(): SecretsManagerClient {
  const client = new SecretsManagerClient({
    region: "eu-central-1",
    endpoint: moto.address,
    credentials: { accessKeyId: "x", secretAccessKey: "y" },
  });
  onTestFinished(() => client.destroy());
  return client;
}

async function tagsOf(name: string): Promise<Record<string, string>> {
  const { Tags: tags = [] } = await direct().send(new DescribeSecretCommand({ SecretId: name }));
  return Object.fromEntries(tags.map(({ Key: key = "", Value: value = "" }) => [key, value]));
}

/** The client part of the id that an entry is started under. */
function clientIn({ args }: ServerEntry): string {
  return args[args.indexOf("--entry") + 1]?.split("/")[0] ?? "";
}

async function promote(name: string, value: string): Promise<void> {
  const client = direct();
  const { VersionIdsToStages: stages = {} } = await client.send(new DescribeSecretCommand({ SecretId: name }));
  const [before] = Object.keys(stages);
  const token = "11111111-2222-4333-8444-555555555555";
  const pending = { SecretId: name, SecretString: value, ClientRequestToken: token, VersionStages: ["AWSPENDING"] };
  await client.send(new PutSecretValueCommand(pending));
  const move = { SecretId: name, VersionStage: "AWSCURRENT", MoveToVersionId: token, RemoveFromVersionId: before };
  await client.send(new UpdateSecretVersionStageCommand(move));
}

describe("roles", () => {
  test("a launch gets a session of its own, or credentials that are served while it runs and not after", async () => {
    await using aws = await startMinistack({ auth: true });
    const iam = iamOf(aws);
    const allow = (actions: string[]) => ({ Statement: [{ Effect: "Allow", Action: actions, Resource: "*" }] });
    const user = await iam.user("u", { Version: "2012-10-17", ...allow(["sts:*"]) });
    const actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
    const trust = { Statement: [{ Effect: "Allow", Principal: { AWS: user.arn }, Action: actions }] };
    const arn = await iam.role("r", { Version: "2012-10-17", ...allow(["secretsmanager:*"]) }, trust);
    const { home, cli } = await makeTeam(
      aws.address,
      user,
      "--region",
      "eu-central-1",
      "--assume",
      `env=${arn}`,
      "--assume",
      `served=${arn}`,
    );
    const settings = join(home.home, ".mcp-secrets/config.jsonc");
    const text = readFileSync(settings, "utf8");
    const at = text.lastIndexOf(`"arn"`);
    writeFileSync(settings, `${text.slice(0, at)}"deliver": "container-credentials", ${text.slice(at)}`);
    const env = {
      AWS_ACCESS_KEY_ID: "mcp-secret://prod/role/env#access_key_id",
      AWS_SECRET_ACCESS_KEY: "mcp-secret://prod/role/env#secret_access_key",
      AWS_SESSION_TOKEN: "mcp-secret://prod/role/env#session_token",
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "mcp-secret://prod/role/served#credentials_uri",
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "mcp-secret://prod/role/served#authorization_token",
      // So that its SDK does not find the keys of the user first.
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_CONFIG_FILE: "/dev/null",
    };
    expect(await cli("store", "default", "local")).toMatchObject({ code: 0 });
    // What migrate approves besides the token that it finds.
    const entry = entryOf(await migrated(home, { s: server({ ...env, TOKEN }) }), "s");
    const running = await start(home, entry);
    expect(running.shown["AWS_ACCESS_KEY_ID"]).toMatch(/^ASIA/);
    expect(running.shown["AWS_PROFILE"]).toBeUndefined();
    const uri = running.shown["AWS_CONTAINER_CREDENTIALS_FULL_URI"] ?? "";
    const authorization = running.shown["AWS_CONTAINER_AUTHORIZATION_TOKEN"] ?? "";
    const served = await fetch(uri, { headers: { authorization } });
    expect(await served.json()).toMatchObject({ AccessKeyId: expect.stringMatching(/^ASIA/) });
    expect((await fetch(uri, { headers: { authorization: "Bearer guess" } })).status).toBe(401);
    const audit = readFileSync(join(home.home, ".mcp-secrets/audit/audit.jsonl"), "utf8");
    expect(audit).toContain(`"event":"intruded"`);
    expect(audit).not.toContain(authorization.slice("Bearer ".length));
    running.closeInput();
    expect(await running.ended).toMatchObject({ code: 0 });
    await expect(fetch(uri, { headers: { authorization } })).rejects.toThrow();
  });
});

describe("what the service does not do on command", () => {
  const many = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, at) => [`KEY_${at}_TOKEN`, `${TOKEN.slice(0, -3)}${100 + at}`]),
    );

  test.each(LONG ? Array.from({ length: 34 }, (_, at) => at + 1) : [1, 2, 3, 17, 31, 32, 33])(
    "kill -9 at request %i of a migration of thirty, then again: one version each, and all resolve",
    async (at) => {
      await using aws = await startStrictSecrets();
      const { home, cli } = await makeTeam(aws.address, KEYS);
      const config = join(home.work, "config.json");
      const env = many(30);
      writeFileSync(config, JSON.stringify({ mcpServers: { s: server(env) } }));
      const child = spawn(process.execPath, [LAUNCHER, "migrate", "--config", config, "--yes"], { env: home.env });
      const done = ended(child);
      // Every second time it is done first, and the answer lost with us.
      aws.fault = (_, number) => {
        if (number !== at) return undefined;
        child.kill("SIGKILL");
        return at % 2 === 0 ? { type: "lost" } : { type: "hang" };
      };
      await done;
      aws.fault = () => undefined;
      expect(await cli("migrate", "--config", config, "--yes")).toMatchObject({ code: 0 });
      const entry = entryOf(JSON.parse(readFileSync(config, "utf8")).mcpServers, "s");
      expect(aws.secrets.size).toBe(30);
      for (const { versions } of aws.secrets.values()) expect(versions.size).toBe(1);
      const running = await start(home, entry);
      expect(Object.entries(env).filter(([name, value]) => running.shown[name] !== value)).toEqual([]);
      running.closeInput();
      await running.ended;
    },
  );

  test("fifty launches at once at a service that takes 25 requests a second: all start or say why, with two requests each and some again", async () => {
    await using aws = await startStrictSecrets();
    const { home } = await makeTeam(aws.address, KEYS);
    const config = { s: { command: "true", args: [], env: many(30) } };
    const entry = entryOf(await migrated(home, config), "s");
    const before = aws.asked.length;
    const takes = { second: 0, left: 0 };
    aws.fault = () => {
      const second = Math.floor(Date.now() / 1000);
      if (second !== takes.second) Object.assign(takes, { second, left: 25 });
      takes.left -= 1;
      return takes.left < 0 ? { type: "error", name: "ThrottlingException", status: 400 } : undefined;
    };
    const since = performance.now();
    const launches = Array.from({ length: 50 }, () =>
      execute(entry.command, entry.args, { env: { ...home.env, ...entry.env } }),
    );
    const ends = await Promise.all(launches);
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    // On a machine that is busy with other things some have no time left; those say so.
    const silent = ends.filter(({ code, stderr }) => code !== 0 && !/error: store prod: .*\n.*hint: /.test(stderr));
    expect(silent).toEqual([]);
    const requests = aws.asked.length - before;
    const started = ends.filter(({ code }) => code === 0).length;
    process.stdout.write(
      `50 launches of 30 secrets, throttled to 25 requests a second: ${started} started, ${requests} requests, the last after ${seconds} s\n`,
    );
    expect(requests).toBeLessThan(50 * 10);
  });
});
