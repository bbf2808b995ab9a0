import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Ended, type Home, makeHome, mcpSecrets } from "../../helpers/cli.ts";
import { selfSigned } from "../../servers/certificate.ts";
import { type FakeVault, json, type Reaction, startFake } from "../../servers/fake-vault.ts";
import { type OpenBao, ROOT_TOKEN, startOpenBao, startSealed } from "../../servers/openbao.ts";

/** What the built program says and does when the vault is not as it should be. */
const TOKEN = "hvs.faults-canary-token";
const VALUE = "faults-canary-value";
/** Made before anybody waits for it. */
const BOMB = gzipSync(Buffer.alloc(50_000_000, " "));
const found = { data: { data: { value: VALUE }, metadata: { version: 1 } } };

let bao: OpenBao;
beforeAll(async () => {
  bao = await startOpenBao({ tls: true });
  await bao.call("POST", "secret/data/x", { data: { value: VALUE } });
});
afterAll(() => bao?.[Symbol.asyncDispose]());

/** A user with stores of these settings, and a token. */
function makeUser(stores: Readonly<Record<string, object>>, token = TOKEN): Home {
  const home = makeHome();
  onTestFinished(() => home[Symbol.dispose]());
  mkdirSync(join(home.home, ".mcp-secrets"), { mode: 0o700 });
  const all = Object.entries(stores).map(([name, settings]) => [name, { provider: "vault", ...settings }]);
  writeFileSync(join(home.home, ".mcp-secrets/config.jsonc"), JSON.stringify({ stores: Object.fromEntries(all) }));
  writeFileSync(join(home.home, ".vault-token"), token, { mode: 0o600 });
  return home;
}

function get(home: Home, store: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return mcpSecrets(["get", `mcp-secret://${store}/kv/x`, "--force-stdout"], { env: { ...home.env, ...env } });
}

async function fake(react: Reaction, tls?: Parameters<typeof startFake>[1]): Promise<FakeVault> {
  const server = await startFake(react, tls);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

const gzip = { "content-type": "application/json", "content-encoding": "gzip" };
const faults: Readonly<Record<string, readonly [exit: number, hint: RegExp, react: Reaction]>> = {
  unauthorised: [77, /store check unauthorised/, (_, to) => json(to, 401, { errors: [`bad token ${TOKEN}`] })],
  forbidden: [77, /store check forbidden/, (_, to) => json(to, 403, { errors: [`1 error: ${TOKEN}`] })],
  missing: [69, /store it with mcp-secrets set/, (_, to) => json(to, 404, { errors: [] })],
  busy: [75, /try again in a few seconds/, (_, to) => json(to, 429, { errors: ["rate limit quota exceeded"] })],
  broken: [69, /store check broken/, (_, to) => json(to, 500, { errors: [`boom ${TOKEN}`] })],
  sealed: [69, /unseal it/, (_, to) => json(to, 503, { errors: ["Vault is sealed"] })],
  unborn: [69, /unseal it/, (_, to) => json(to, 501, { errors: [] })],
  standby: [75, /try again/, (_, to) => json(to, 473, { errors: [] })],
  astray: [
    77,
    /stores.astray.addresses/,
    (seen, to) => json(to, 307, {}, { location: `http://127.0.0.1:1${seen.path}` }),
  ],
  silent: [69, /check the address and the network/, () => {}],
  closing: [69, /check the address and the network/, (_, to) => to.destroy()],
  html: [69, /something else than Vault/, (_, to) => to.writeHead(200, { "content-type": "text/html" }).end("<html>")],
  bomb: [69, /something else than Vault/, (_, to) => to.writeHead(200, gzip).end(BOMB)],
  shapeless: [69, /store check shapeless/, (_, to) => json(to, 200, { data: { data: [VALUE] } })],
};

test(
  "every fault has its exit code and its hint, ends in time, and no output has the token or a value",
  { timeout: 60_000 },
  async () => {
    const names = Object.keys(faults);
    const servers = await Promise.all(Object.values(faults).map(([, , react]) => fake(react)));
    const stores = Object.fromEntries(
      names.map((name, at) => [name, { addresses: servers[at]?.address, launch: "none" }]),
    );
    const home = makeUser(stores);
    // At once: those that are tried again take their ten seconds side by side.
    const ends = await Promise.all(names.map((name) => get(home, name)));
    expect(names.map((name, at) => `${name} ${ends[at]?.code}`)).toEqual(
      names.map((name) => `${name} ${faults[name]?.[0]}`),
    );
    for (const [at, { stdout, stderr }] of ends.entries()) {
      const [error = "", hint = "", ...more] = stderr.trimEnd().split("\n");
      expect(error).toContain(`[mcp-secrets] error: store ${names[at]}`);
      expect(hint).toMatch(faults[names[at] ?? ""]?.[1] ?? /never/);
      expect([more, stdout]).toEqual([[], ""]);
      expect(stderr).not.toContain("canary");
    }
  },
);

test("a real vault that is sealed, and one whose certificate nobody vouches for", async () => {
  const sealed = await startSealed();
  onTestFinished(() => sealed[Symbol.asyncDispose]());
  const home = makeUser({ shut: { addresses: sealed.address }, unknown: { addresses: bao.address } }, ROOT_TOKEN);
  expect(await get(home, "shut")).toMatchObject({ code: 69, stderr: expect.stringContaining("hint: unseal it") });
  const unknown = await get(home, "unknown");
  expect(unknown).toMatchObject({ code: 77, stderr: expect.stringContaining("hint: set stores.unknown.caFile") });
  expect(unknown.stderr).not.toContain(ROOT_TOKEN);
});

describe("a server that only listens sees no token", () => {
  const capture = (tls?: Parameters<typeof startFake>[1]) => fake((_, to) => json(to, 200, found), tls);

  test("behind a redirect", async () => {
    const listener = await capture();
    const vault = await fake((seen, to) => json(to, 307, undefined, { location: `${listener.address}${seen.path}` }));
    const home = makeUser({ team: { addresses: vault.address } });
    expect(await get(home, "team")).toMatchObject({ code: 77, stdout: "" });
    expect(listener.connections()).toBe(0);
  });

  test("as a proxy, or an address, in the environment", async () => {
    const listener = await capture();
    const names = [
      "HTTP_PROXY",
      "http_proxy",
      "HTTPS_PROXY",
      "https_proxy",
      "ALL_PROXY",
      "VAULT_ADDR",
      "BAO_ADDR",
      "VAULT_PROXY_ADDR",
    ];
    const env = Object.fromEntries(names.map((name) => [name, listener.address]));
    const home = makeUser({ team: { addresses: bao.address, caFile: bao.caFile } }, ROOT_TOKEN);
    expect(await get(home, "team", env)).toMatchObject({ code: 0, stdout: VALUE });
    const plain = await fake((_, to) => json(to, 200, found));
    const other = makeUser({ team: { addresses: plain.address } });
    expect(await get(other, "team", env)).toMatchObject({ code: 0, stdout: VALUE });
    expect(listener.connections()).toBe(0);
  });

  test.each(["false", "true", "1"])("with a certificate of its own and VAULT_SKIP_VERIFY=%s", async (skip) => {
    const listener = await capture(selfSigned("127.0.0.1", ["subjectAltName=IP:127.0.0.1"]));
    const home = makeUser({ team: { addresses: listener.address } });
    const env = { VAULT_SKIP_VERIFY: skip, BAO_SKIP_VERIFY: skip, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    expect(await get(home, "team", env)).toMatchObject({ code: 77, stdout: "" });
    expect(listener.seen).toEqual([]);
  });

  test("over plain http, which no setting and no default leads to but on this machine", async () => {
    for (const settings of [{}, { addresses: [] }, { addresses: "http://vault.example:8200" }]) {
      const home = makeUser({ team: settings });
      expect(await get(home, "team")).toMatchObject({
        code: 65,
        stderr: expect.stringContaining("stores.team.addresses"),
      });
    }
  });
});
