import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Home, makeHome, mcpSecrets } from "../test/helpers/cli.ts";
import { entryOf, migrated } from "../test/helpers/migrated.ts";
import { auditEntries, baoProgram, type OpenBao, ROOT_TOKEN, startOpenBao } from "../test/servers/openbao.ts";
import { interleaved, type Timed, together } from "./measure.ts";
import { markdown, round, type Row } from "./table.ts";

/** `npm run bench:vault`: a launch with a secret of OpenBao, on loopback, beside what could be used instead. */
const ROUNDS = 15;
const VALUE = "sk-live-bench-canary-0001";
/** The same calls with nothing around them: the floor. Words: the calls, each `METHOD PATH [BODY]`, in JSON. */
const RAW = `
const { Agent, request } = require("node:http");
const [address, token, calls] = process.argv.slice(1);
const agent = new Agent({ keepAlive: true });
const ask = (method, path, token, body) => new Promise((done, fail) => {
  const headers = { "x-vault-token": token };
  request(address + "/v1/" + path, { method, agent, headers }, (response) => {
    let text = "";
    response.on("data", (chunk) => (text += chunk)).on("end", () => done(text && JSON.parse(text)));
  }).on("error", fail).end(body && JSON.stringify(body));
});
(async () => {
  let own = token;
  let secret;
  for (const [method, path, body] of JSON.parse(calls)) {
    const answer = await ask(method, path, own, body);
    own = answer?.auth?.client_token ?? own;
    secret = answer?.data?.data ?? secret;
  }
  agent.destroy();
  const env = { ...process.env, API_KEY: secret.API_KEY ?? secret.value };
  require("node:child_process").spawn("true", [], { env, stdio: "inherit" }).on("exit", (code) => (process.exitCode = code));
})();
`;

const rows = await measure();
console.log(`Node ${process.versions.node}, ${process.platform} ${process.arch}\n`);
console.log(markdown(rows));
if (rows.some(({ met }) => met === false)) process.exitCode = 1;

async function measure(): Promise<Row[]> {
  await using bao = await startOpenBao();
  using home = makeHome();
  const launches = await setUp(home, bao);
  const node: Timed = { name: "node -e 0", command: process.execPath, args: ["-e", "0"], env: home.env };
  const programs = [node, ...Object.values(launches), ...peers(home, bao, launches.login)];
  const times = await interleaved(programs, ROUNDS);
  const base = times.get(node.name)?.median ?? Number.NaN;
  const goals = new Map([
    [launches.token.name, 2.0],
    [launches.login.name, 2.6],
  ]);
  const lines = [...times].map(([what, { median, min, max }]): Row => {
    const ratio = median / base;
    const result = `${round(median)} ms [${round(min)}–${round(max)}], ${round(ratio, 2)} × node`;
    const goal = goals.get(what);
    return goal === undefined ? { what, result } : { what, result, goal: `≤ ${goal} × node`, met: ratio <= goal };
  });
  const counts: Row[] = [];
  for (const launch of Object.values(launches)) counts.push(await requestsOf(bao, launch));
  return [...lines, ...counts, await crowd(bao, launches.login)];
}

interface Launches {
  readonly local: Timed;
  /** The login is a token in a file, and reads for the launch. */
  readonly token: Timed;
  /** Logs in, makes a token for the launch, reads with it and ends it. */
  readonly login: Timed;
  /** The same with the login of an earlier launch. */
  readonly shared: Timed;
}

async function setUp(home: Home, bao: OpenBao): Promise<Launches> {
  mkdirSync(join(home.home, ".mcp-secrets"), { mode: 0o700 });
  writeFileSync(join(home.home, ".vault-token"), ROOT_TOKEN, { mode: 0o600 });
  const { roleId } = await makeRole(home, bao);
  const auth = { method: "approle", roleId, secretIdFile: "~/secret-id" };
  const stores = {
    plain: { provider: "vault", addresses: [bao.address], launch: "none" },
    team: { provider: "vault", addresses: [bao.address], auth, launch: { role: "mcp-{server}" } },
  };
  writeFileSync(join(home.home, ".mcp-secrets/config.jsonc"), JSON.stringify({ stores }), { mode: 0o600 });
  await bao.call("POST", "secret/data/bench", { data: { value: VALUE } });
  const entry = (value: string) => ({ command: "true", env: { API_KEY: value } });
  const reference = (store: string) => entry(`mcp-secret://${store}/kv/bench`);
  const entries = await migrated(home, { local: entry(VALUE), plain: reference("plain"), bench: reference("team") });
  await allow(home, bao);
  const launch = (name: string, server: string): Timed => {
    const { command, args, env } = entryOf(entries, server);
    return { name: `mcp-secrets run -- true, ${name}`, command, args, env: { ...home.env, ...env } };
  };
  const login = join(home.home, ".mcp-secrets/vault/team/token");
  return {
    local: launch("one secret of the local store", "local"),
    token: launch("one of the vault, static token", "plain"),
    login: {
      ...launch("AppRole login, token of its own, revoked", "bench"),
      before: () => rmSync(login, { force: true }),
    },
    shared: launch("login shared, token of its own, revoked", "bench"),
  };
}

async function makeRole(home: Home, bao: OpenBao): Promise<{ readonly roleId: string }> {
  await bao.call("POST", "sys/auth/approle", { type: "approle" });
  const role = { token_policies: "mcp-bench-login", token_ttl: "1h", token_no_default_policy: true };
  await bao.call("POST", "auth/approle/role/mcp", role);
  const { body: made } = await bao.call("POST", "auth/approle/role/mcp/secret-id", {});
  writeFileSync(join(home.home, "secret-id"), made.data.secret_id, { mode: 0o600 });
  const { body: found } = await bao.call("GET", "auth/approle/role/mcp/role-id");
  return { roleId: found.data.role_id };
}

/** Puts in place what `store policy` prints. */
async function allow(home: Home, bao: OpenBao): Promise<void> {
  const args = ["store", "policy", "--server", "bench", "--store", "team", "--config", join(home.work, "config.json")];
  const { stdout } = await mcpSecrets(args, { env: home.env });
  for (const part of stdout.split(/^(?=# What)/m)) {
    const name = /^# bao policy write (\S+)/m.exec(part)?.[1];
    if (name !== undefined) await bao.call("POST", `sys/policies/acl/${name}`, { policy: part });
  }
  const [, parameters = ""] = stdout.split("auth/token/roles/mcp-bench");
  const role = [...parameters.matchAll(/^# {3}(\w+)=(\S+)/gm)].map(([, name, value]) => [name, value]);
  await bao.call("POST", "auth/token/roles/mcp-bench", Object.fromEntries(role));
}

function peers(home: Home, bao: OpenBao, login: Timed): Timed[] {
  const secretId = readFileSync(join(home.home, "secret-id"), "utf8");
  const config: unknown = JSON.parse(readFileSync(join(home.home, ".mcp-secrets/config.jsonc"), "utf8"));
  const roleId = /"roleId":"([^"]+)"/.exec(JSON.stringify(config))?.[1];
  const read = ["GET", "secret/data/bench"];
  const whole = [
    ["POST", "auth/approle/login", { role_id: roleId, secret_id: secretId }],
    ["POST", "auth/token/create/mcp-bench", { policies: ["mcp-bench"], ttl: "10s" }],
    read,
    ["POST", "auth/token/revoke-self"],
  ];
  const raw = (name: string, calls: readonly unknown[]): Timed => ({
    name: `raw requests: ${name}`,
    command: process.execPath,
    args: ["-e", RAW, bao.address, ROOT_TOKEN, JSON.stringify(calls)],
    env: login.env,
  });
  return [raw("one read", [read]), raw("login, create, read, revoke", whole), agent(home, bao)];
}

/** The process supervisor of OpenBao's own agent. */
function agent(home: Home, bao: OpenBao): Timed {
  const file = join(home.work, "agent.hcl");
  writeFileSync(
    file,
    `vault { address = "${bao.address}" }
auto_auth {
  method "token_file" { config = { token_file_path = "${join(home.home, ".vault-token")}" } }
}
template_config { exit_on_retry_failure = true }
env_template "API_KEY" {
  contents = "{{ with secret \\"secret/data/bench\\" }}{{ .Data.data.value }}{{ end }}"
  error_on_missing_key = true
}
exec {
  command = ["/bin/true"]
  restart_on_secret_changes = "never"
}
`,
  );
  return {
    name: "bao agent, process supervisor",
    command: baoProgram() ?? "bao",
    args: ["agent", `-config=${file}`],
    env: home.env,
  };
}

/** One launch and what it asked for. */
async function requestsOf(bao: OpenBao, launch: Timed): Promise<Row> {
  const asked = await requestsDuring(bao, async () => void (await together(launch, 1)));
  return {
    what: `requests: ${launch.name}`,
    result: asked.length === 0 ? "0" : `${asked.length}: ${asked.join(", ")}`,
  };
}

async function crowd(bao: OpenBao, launch: Timed): Promise<Row> {
  let time = 0;
  const asked = await requestsDuring(bao, async () => (time = await together(launch, 100)));
  const counts = new Map<string, number>();
  for (const path of asked) counts.set(path, (counts.get(path) ?? 0) + 1);
  const shown = [...counts].map(([path, count]) => `${count} ${path}`).join(", ");
  return {
    what: "100 launches at once",
    result: `${round(time)} ms, all complete; ${asked.length} requests: ${shown}`,
  };
}

async function requestsDuring(bao: OpenBao, work: () => Promise<unknown>): Promise<string[]> {
  const before = auditEntries(bao).length;
  await work();
  const entries = auditEntries(bao).slice(before);
  return entries.filter(({ type }) => type === "request").map(({ request }) => request.path);
}
