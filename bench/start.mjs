// node bench/start.mjs NAME [ARG…]: bundles bench/NAME.ts as the product is bundled, and runs it.
// NODE_EXTRA_CA_CERTS is unset: it costs Node 20 about 80 ms a start and would flatter every ratio.
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { buildSync } from "esbuild";

const [name, ...args] = process.argv.slice(2);
const outfile = `.cache/bench/${name}.mjs`;
buildSync({
  entryPoints: [`bench/${name}.ts`],
  outfile,
  bundle: true,
  platform: "node",
  target: "node20.19",
  format: "esm",
  packages: "external",
  // As in the program, whose Context the helpers of the tests use.
  define: { VERSION: JSON.stringify(process.env.npm_package_version), __dirname: JSON.stringify(resolve("dist")) },
  logLevel: "warning",
});
delete process.env.NODE_EXTRA_CA_CERTS;
process.exitCode = spawnSync(process.execPath, [outfile, ...args], { stdio: "inherit" }).status ?? 1;
