import { afterAll, beforeAll, expect, test } from "vitest";
import type { Provider } from "../../../src/core/provider.ts";
import { createClient } from "../../../providers/vault/client.ts";
import { plainWire } from "../../../providers/vault/exchange.ts";
import { readKv, writeKv } from "../../../providers/vault/kv.ts";
import { createTransport, type Transport } from "../../../providers/vault/transport.ts";
import { parseRef } from "../../../src/core/ref.ts";
import { Secret } from "../../../src/core/secret.ts";
import { type Cluster, startCluster } from "../../servers/openbao.ts";
import { memoryJournal, request, secrets } from "../parts.ts";
import { rootStore, type TestStore } from "./store.ts";

const POLICY = `path "secret/data/*" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }`;

let cluster: Cluster;
let token: string;

beforeAll(async () => {
  cluster = await startCluster();
  const leader = await cluster.leader();
  await leader.call("POST", "sys/mounts/secret", { type: "kv", options: { version: "2" } });
  await leader.call("POST", "sys/policies/acl/mcp-github", { policy: POLICY });
  token = (await leader.call("POST", "auth/token/create", { policies: ["root"], no_parent: true })).body.auth
    .client_token;
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

/** A store that knows all the nodes and asks this one first. */
function storeAt(first: number): TestStore {
  const { nodes } = cluster;
  const addresses = [0, 1, 2].map((step) => nodes[(first + step) % 3]!.address);
  const store = rootStore(nodes[0]!, { addresses, launch: { ttl: "5m" } });
  store.file(".vault-token", token);
  return store;
}

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

async function launch(provider: Provider, number: number): Promise<string> {
  const scope = await provider.scope?.({ id: `storm-${number}`, entry: "cursor/github" }, request(), memoryJournal());
  const [secret] = (await scope?.resolve([parseRef("mcp-secret://team/kv/storm")], request())) ?? [];
  const remains = await scope?.end([], request());
  expect(remains).toEqual({ leases: [], credentials: [] });
  return secret?.value.expose() ?? "";
}

test("200 launches while the leader is killed: none fails, and none leaves a token", async () => {
  const first = await storeAt(0).open();
  await first.put("kv/storm", secrets({ value: "v" }), { ifVersion: 0 });
  const providers = await Promise.all([0, 1, 2].map((node) => storeAt(node).open()));
  const leader = await cluster.leader();
  const launches = Array.from({ length: 200 }, async (_, number) => {
    await new Promise((resolve) => setTimeout(resolve, number * 20));
    if (number === 50) await leader.kill();
    return launch(providers[number % 3]!, number);
  });
  expect(new Set(await Promise.all(launches))).toEqual(new Set(["v"]));
  const next = await cluster.leader();
  expect(next.address).not.toBe(leader.address);
  const { body } = await next.call("LIST", "auth/token/accessors");
  const metas = await Promise.all(
    (body.data.keys as string[]).map((accessor) =>
      next.call("POST", "auth/token/lookup-accessor", { accessor }, { loose: true }),
    ),
  );
  // A token whose answer was lost in the fall has no lease, and ends by its TTL; one of a launch that knew it is gone.
  const left = metas.filter(({ body: found }) => String(found?.data?.meta?.launch).startsWith("storm-"));
  expect(left.length).toBeLessThanOrEqual(10);
}, 240_000);
