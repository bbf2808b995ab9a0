import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Home, has, makeHome, mcpSecrets } from "../test/helpers/cli.ts";
import { entryOf, migrated } from "../test/helpers/migrated.ts";
import { startStrictSecrets } from "../test/servers/strict-secrets.ts";
import { interleaved, type Timed } from "./measure.ts";
import { markdown, round, type Row } from "./table.ts";

/** `npm run bench:aws`: a launch with secrets of Secrets Manager, on loopback, beside what could be used instead. */
const ROUNDS = 15;
const HERE = resolve(import.meta.dirname, "../..");
const NAME = "one/API_KEY_0";

/** The SDK as its documentation has it, without a bundle. */
const SDK = `
import { GetSecretValueCommand, SecretsManagerClient } from ${JSON.stringify(join(HERE, "node_modules/@aws-sdk/client-secrets-manager/dist-es/index.js"))};
`;

/** One request that is signed by hand, and the program: the floor. */
const BY_HAND = `
const { createHash, createHmac } = require("node:crypto");
const [endpoint, name] = process.argv.slice(1);
const { host } = new URL(endpoint);
const body = JSON.stringify({ SecretId: name, VersionStage: "AWSCURRENT" });
const time = new Date().toISOString().replace(/[-:]|\\.\\d+/g, "");
const sha = (text) => createHash("sha256").update(text).digest("hex");
const mac = (key, text) => createHmac("sha256", key).update(text).digest();
const scope = [time.slice(0, 8), "eu-central-1", "secretsmanager", "aws4_request"];
const target = "secretsmanager.GetSecretValue";
const names = "content-type;host;x-amz-date;x-amz-target";
const type = "application/x-amz-json-1.1";
const canonical = ["POST", "/", "", "content-type:" + type, "host:" + host, "x-amz-date:" + time, "x-amz-target:" + target, "", names, sha(body)].join("\\n");
const signed = ["AWS4-HMAC-SHA256", time, scope.join("/"), sha(canonical)].join("\\n");
const signature = mac(scope.reduce(mac, "AWS4test"), signed).toString("hex");
const authorization = "AWS4-HMAC-SHA256 Credential=test/" + scope.join("/") + ", SignedHeaders=" + names + ", Signature=" + signature;
const headers = { "content-type": type, "x-amz-date": time, "x-amz-target": target, authorization };
require("node:http").request(endpoint, { method: "POST", headers }, (response) => {
  let text = "";
  response.on("data", (chunk) => (text += chunk)).on("end", () => {
    const env = { ...process.env, API_KEY: JSON.parse(text).SecretString };
    require("node:child_process").spawn("true", [], { env, stdio: "inherit" }).on("exit", (code) => (process.exitCode = code));
  });
}).end(body);
`;

const rows = await measure();
console.log(`Node ${process.versions.node}, ${process.platform} ${process.arch}\n`);
console.log(markdown(rows));
if (rows.some(({ met }) => met === false)) process.exitCode = 1;

async function measure(): Promise<Row[]> {
  await using service = await startStrictSecrets();
  using home = makeHome();
  await setUp(home, service.address);
  const [one, thirty] = await launchesOf(home);
  const before = service.asked.length;
  const node: Timed = { name: "node -e 0", command: process.execPath, args: ["-e", "0"], env: home.env };
  const times = await interleaved([node, one, thirty, ...peers(home, service.address)], ROUNDS);
  const median = (name: string) => times.get(name)?.median ?? Number.NaN;
  const base = median(node.name);
  const many = median(thirty.name) / median(one.name);
  const lines = [...times].map(([what, { median: middle, min, max }]): Row => {
    const ratio = middle / base;
    const result = `${round(middle)} ms [${round(min)}–${round(max)}], ${round(ratio, 2)} × node`;
    return what === one.name ? { what, result, goal: "≤ 2.5 × node", met: ratio <= 2.5 } : { what, result };
  });
  return [
    ...lines,
    { what: "30 secrets beside one", result: `${round(many, 2)} ×`, goal: "≤ 1.3", met: many <= 1.3 },
    { what: "requests for all of this", result: String(service.asked.length - before) },
  ];
}

async function setUp(home: Home, address: string): Promise<void> {
  mkdirSync(join(home.home, ".aws"));
  const keys = "[default]\nregion = eu-central-1\naws_access_key_id = test\naws_secret_access_key = test\n";
  writeFileSync(join(home.home, ".aws/credentials"), keys, { mode: 0o600 });
  const added = ["store", "add", "prod", "--provider", "aws", "--endpoint", address, "--region", "eu-central-1"];
  for (const args of [added, ["store", "default", "prod"]]) {
    const done = await mcpSecrets(args, { env: home.env });
    if (done.code !== 0) throw new Error(done.stderr);
  }
}

/** A launch of one secret and one of thirty, of one config. */
async function launchesOf(home: Home): Promise<[Timed, Timed]> {
  const server = (name: string, count: number) => ({
    command: "true",
    env: Object.fromEntries(secretsOf(name, count)),
  });
  const entries = await migrated(home, { one: server("one", 1), thirty: server("thirty", 30) });
  const launch = (name: string, count: number): Timed => {
    const { command, args, env } = entryOf(entries, name);
    return { name: `mcp-secrets run -- true, ${count} of AWS`, command, args, env: { ...home.env, ...env } };
  };
  return [launch("one", 1), launch("thirty", 30)];
}

function secretsOf(server: string, count: number): [string, string][] {
  return Array.from({ length: count }, (_, at) => [`API_KEY_${at}`, `sk-live-bench-canary-${server}-${at}`]);
}

function peers(home: Home, endpoint: string): Timed[] {
  const sdk = join(home.work, "sdk.mjs");
  writeFileSync(
    sdk,
    `${SDK.replace("dist-es/index.js", "dist-cjs/index.js")}
const client = new SecretsManagerClient({ region: "eu-central-1", endpoint: ${JSON.stringify(endpoint)} });
await client.send(new GetSecretValueCommand({ SecretId: ${JSON.stringify(NAME)} }));
`,
  );
  const quiet = { ...home.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };
  const cli = ["secretsmanager", "get-secret-value", "--secret-id", NAME, "--endpoint-url", endpoint];
  return [
    {
      name: "one request, signed by hand",
      command: process.execPath,
      args: ["-e", BY_HAND, endpoint, NAME],
      env: home.env,
    },
    { name: "the SDK, unbundled", command: process.execPath, args: [sdk], env: quiet },
    ...(has("aws") ? [{ name: "aws", command: "aws", args: cli, env: { ...home.env, ...pathOf() } }] : []),
  ];
}

/** Where this machine's own programs are. */
function pathOf(): { readonly PATH: string } {
  return { PATH: process.env["PATH"] ?? "" };
}
