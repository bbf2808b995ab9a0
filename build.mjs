import { createRequire } from "node:module";
import { build } from "esbuild";

/**
 * The program as it is shipped: one chunk for the launcher, which is on the way of every server's start, and one for
 * each part that only some starts need. What a chunk does not import by its alias is inside it.
 */
const chunks = {
  launcher: "src/launcher.ts",
  start: "src/start.ts",
  cli: "src/cli.ts",
  keeper: "src/launch/keeper.ts",
  thread: "providers/local/thread.ts",
  vault: "providers/vault/provider.ts",
  "github-app": "providers/github-app/provider.ts",
  "target-postgresql": "src/rotate/targets/postgresql.ts",
  "target-mysql": "src/rotate/targets/mysql.ts",
  "target-redis": "src/rotate/targets/redis.ts",
};
const NOTHING = "./providers/vault/nothing.cjs";
const version = JSON.stringify(process.env["npm_package_version"]);
/** Optional dependencies, each in the chunk of its target, which says so where its driver was not there to be built in. */
const drivers = ["pg", "mysql2", "@redis/client"];
/** What drivers use where it happens to be installed. */
const natives = ["pg-native", "pg-cloudflare", "@node-rs/xxhash", "@opentelemetry/api"];

const options = {
  outdir: "dist",
  outExtension: { ".js": ".cjs" },
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20.19",
  mainFields: ["module", "main"],
  external: [
    ...[...Object.keys(chunks), "aws"].map((name) => `./${name}.cjs`),
    ...natives,
    ...drivers.filter(isMissing),
  ],
  alias: {
    "#keeper": "./keeper.cjs",
    "#vault": "./vault.cjs",
    "#aws": "./aws.cjs",
    "#github-app": "./github-app.cjs",
    "#target-postgresql": "./target-postgresql.cjs",
    "#target-mysql": "./target-mysql.cjs",
    "#target-redis": "./target-redis.cjs",
    // node-vault loads all of them, and with our transport, our check and no commands calls none (TLS of our own is
    // imported as node:https): 85 of its 95 ms at start.
    axios: NOTHING,
    debug: NOTHING,
    https: NOTHING,
    mustache: NOTHING,
    tv4: NOTHING,
  },
  // A chunk is loaded by require: import() of Node would start its other loader.
  supported: { "dynamic-import": false },
  define: { VERSION: version },
  plugins: [{ name: "no-commands", setup: leaveOutCommands }],
  logLevel: "warning",
};

/** In a snapshot `require` knows Node's own modules only; src/fast/snapshot.ts tells where the other chunks are. */
const REQUIRE = `
const nodeRequire = require, chunks = {};
require = (id) => id.startsWith("./") ? chunks.load(id) : nodeRequire(id);
`;

await build({ ...options, entryPoints: chunks });
await build({
  ...options,
  entryPoints: { aws: "providers/aws/provider.ts" },
  // Half of what the SDK costs a launch is what it loads of Node.
  inject: ["providers/aws/globals.mjs"],
  alias: { ...options.alias, "node:fs/promises": "./providers/aws/fs-promises.cjs", "node:zlib": NOTHING },
});
// Its text is in the memory of every launcher, twice.
await build({ ...options, minify: true, entryPoints: { snapshot: "src/fast/snapshot.ts" }, banner: { js: REQUIRE } });

/** Of the requests that node-vault knows by name, a third of the chunk, none is made: its four verbs do. */
function leaveOutCommands({ onLoad }) {
  onLoad({ filter: /node-vault[\\/]src[\\/]commands\.js$/ }, () => ({ contents: "module.exports = {};" }));
}

function isMissing(name) {
  try {
    createRequire(import.meta.url).resolve(name);
    return false;
  } catch {
    return true;
  }
}
