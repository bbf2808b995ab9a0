import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createClient } from "../../../providers/vault/client.ts";
import { plainWire } from "../../../providers/vault/exchange.ts";
import { readKv, writeKv } from "../../../providers/vault/kv.ts";
import { createTransport, type Transport } from "../../../providers/vault/transport.ts";
import { inParallel } from "../../../src/core/parallel.ts";
import { Secret } from "../../../src/core/secret.ts";
import { execute, type Home, LONG, makeHome, mcpSecrets } from "../../helpers/cli.ts";
import { entryOf, migrated, type ServerEntry } from "../../helpers/migrated.ts";
import { type Cluster, startCluster } from "../../servers/openbao.ts";
import { type Postgres, startPostgres } from "../../servers/postgres.ts";
import { connectDatabase, leasesOf, liveTokens, makeRole } from "./database.ts";
import { request, secrets } from "../parts.ts";
import { memoryOf } from "./store.ts";

/** Of the built program; eight at a time. */
const LAUNCHES = LONG ? 200 : 20;
const CANARY = "failover-canary-token";
const POLICY = `path "secret/data/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }
path "sys/leases/+/database/creds/*" { capabilities = ["update"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }`;

let cluster: Cluster;
let postgres: Postgres;
let token: string;

beforeAll(async () => {
  cluster = await startCluster();
  const leader = await cluster.leader();
  await leader.call("POST", "sys/mounts/secret", { type: "kv", options: { version: "2" } });
  await leader.call("POST", "sys/policies/acl/mcp-github", { policy: POLICY });
  token = (await leader.call("POST", "auth/token/create", { policies: ["root"], no_parent: true })).body.auth
    .client_token;
  const started = await startPostgres("superuser-password");
  if (started === undefined) throw new Error("no PostgreSQL here, and none can be installed");
  postgres = started;
  await connectDatabase(leader, postgres);
  // Longer than all launches, so that only a revocation ends it as long as they run.
  await makeRole(leader, "failover", { default_ttl: LONG ? "5m" : "40s", max_ttl: "1h" });
});
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

test("a read right after a write sees it, also at a node that has not heard of it yet", async () => {
  const leader = await cluster.leader();
  const standby = cluster.nodes.find((node) => node !== leader)!;
  const transportTo = (address: string) =>
    createTransport({ store: "team", wires: [plainWire(address)], now: Date.now, chance: Math.random });
  const [writes, reads] = [transportTo(leader.address), transportTo(standby.address)];
  const send: Transport["send"] = (call, patience) => (call.method === "POST" ? writes : reads).send(call, patience);
  const client = createClient({ send, close: () => {} }, undefined);
  const session = { store: "team", client, token: new Secret(token), now: Date.now };
  const mount = { path: "secret", version: 2 } as const;
  for (let version = 0; version < 100; version++) {
    const fields = secrets({ value: `v${version}` });
    await writeKv(session, mount, "fresh", { fields, ifVersion: version, request: request() });
    expect((await readKv(session, mount, "fresh", request())).version).toBe(version + 1);
  }
  writes.close();
  reads.close();
});

/** A user whose default store is the cluster, and an entry with a static secret and a credential of the database. */
async function makeEntry(): Promise<{ readonly home: Home; readonly entry: ServerEntry }> {
  const home = makeHome();
  onTestFinished(() => {
    rmSync(memoryOf(join(home.home, ".mcp-secrets")), { recursive: true, force: true });
    home[Symbol.dispose]();
  });
  writeFileSync(join(home.home, ".vault-token"), token, { mode: 0o600 });
  const nodes = cluster.nodes.flatMap(({ address }) => ["--address", address]);
  const mounts = ["--mount", "kv=secret", "--mount", "db=engine:database/creds"];
  const add = ["store", "add", "team", "--provider", "vault", ...nodes, ...mounts];
  for (const args of [add, ["store", "default", "team"]]) {
    expect(await mcpSecrets(args, { env: home.env })).toMatchObject({ code: 0 });
  }
  const at = (field: string) => `mcp-secret://team/db/failover#${field}`;
  const env = { TOKEN: CANARY, PGUSER: at("username"), PGPASSWORD: at("password") };
  const server = "process.stdout.write(`${process.env.TOKEN} ${process.env.PGUSER.slice(0, 2)}`)";
  const entries = await migrated(home, { github: { command: process.execPath, args: ["-e", server], env } });
  return { home, entry: entryOf(entries, "github") };
}

test(`${LAUNCHES} launches of the program while the leader is killed: none fails, none leaves a lease`, async () => {
  const { home, entry } = await makeEntry();
  const leader = await cluster.leader();
  let killed = Infinity;
  let elected = Infinity;
  const launch = async (number: number) => {
    if (number === Math.floor(LAUNCHES / 4)) {
      await leader.kill();
      killed = Date.now();
      void cluster.leader().then(() => (elected = Date.now()));
    }
    const started = Date.now();
    const { code, stdout, stderr } = await execute(entry.command, entry.args, { env: { ...home.env, ...entry.env } });
    return { started, code, stdout, stderr };
  };
  const ends = await inParallel(
    Array.from({ length: LAUNCHES }, (_, number) => number),
    launch,
  );
  const next = await cluster.leader();
  expect(next.address).not.toBe(leader.address);
  // Ten seconds are a launch's whole time: on a starved machine an election alone may take them.
  const hadTime = ends.filter(({ started }) => elected - started < 5_000);
  expect(hadTime.length).toBeGreaterThan(LAUNCHES / 2);
  expect(hadTime.filter(({ code, stdout }) => code !== 0 || stdout !== `${CANARY} v-`)).toEqual([]);
  // What could not be given back while nobody led stands in the journal.
  await expect.poll(async () => (await mcpSecrets(["reap"], { env: home.env })).code, { timeout: 20_000 }).toBe(0);
  // A leader that is killed between a lease and the note of whose it is leaves one that only its TTL ends.
  for (const id of await leasesOf(next, "failover")) {
    const { body } = await next.call("PUT", "sys/leases/lookup", { lease_id: id }, { loose: true });
    expect(Date.parse(body.data?.issue_time ?? 0)).toBeLessThanOrEqual(killed);
  }
  const alive = async () => [...(await leasesOf(next, "failover")), ...(await liveTokens(next))];
  await expect.poll(alive, { timeout: LONG ? 310_000 : 60_000 }).toEqual([]);
}, 900_000);
