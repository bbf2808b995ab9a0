#!/usr/bin/env node
import { join } from "node:path";
import { type Code, loadCode } from "./io/code.ts";

/** A server has started by then, in milliseconds. */
const IDLE = 5000;

/** The way in: `run` is in start.cjs, every other command in cli.cjs. */

// A signal that makes Node open its debugger, to whoever may signal us (node(1), "Signal events").
process.on("SIGUSR1", () => {});

if (process.argv[2] === "run") run(process.argv.slice(3));
else require("./cli.cjs");

/** Every chunk of ours that the launch loads is kept compiled for the next one, when it has ended or is idle. */
function run(args: readonly string[]): void {
  const loaded = new Map<string, Code>();
  const load = (id: string): object => {
    const code = loaded.get(id) ?? loadCode(join(__dirname, id), ours);
    loaded.set(id, code);
    return code.exports;
  };
  const ours: NodeJS.Require = Object.assign(
    (id: string): unknown => (id.startsWith("./") ? load(id) : require(id)),
    require,
  );
  const start: unknown = Reflect.get(load("./start.cjs"), "start");
  if (typeof start !== "function") throw new TypeError("start.cjs is not of this version");
  const keep = () => loaded.forEach((code) => code.keep());
  // Many a client kills its servers at the end.
  setTimeout(keep, IDLE).unref();
  Reflect.apply(start, undefined, [args, keep]);
}
