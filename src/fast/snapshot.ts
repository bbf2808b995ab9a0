// First: what follows may use them while it is loaded.
import { takeBackArrayMethods } from "./array-methods.ts";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { startupSnapshot } from "node:v8";
import { openChunks } from "../io/code.ts";
import { keepDebuggerClosed } from "../io/debugger.ts";
import { start } from "../start.ts";
import { prepare, rehearse } from "./rehearsal.ts";

/** What `require("./…")` asks, in this file alone (build.mjs): a snapshot has no folder to find the other chunks in. */
declare const chunks: { load?: (id: string) => object };

/**
 * The way in where the launcher starts from a snapshot (src/launch/fast.ts): the program is loaded and compiled already.
 * Run twice with the same empty folder: first as it is, then by `node --build-snapshot`. Every start runs `main`.
 */
const [stage = ""] = process.argv.slice(2);
void (startupSnapshot.isBuildingSnapshot() ? build() : prepare(stage));

async function build(): Promise<void> {
  await rehearse(stage);
  takeBackArrayMethods();
  startupSnapshot.setDeserializeMainFunction(main);
}

function main(): void {
  keepDebuggerClosed();
  // The copy of Node that runs here is in `bin`, which no variable can change.
  const home = dirname(dirname(process.execPath));
  const folder = join(home, "lib", VERSION);
  process.env["MCPS_HOME"] = home;
  const require = createRequire(join(folder, "launcher.cjs"));
  const { load, keep } = openChunks(folder, require);
  chunks.load = load;
  const [, , command, ...args] = process.argv;
  if (command === "run") void start(args, { folder, keep });
  else require("./cli.cjs");
}
