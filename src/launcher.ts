#!/usr/bin/env node
import { openChunks } from "./io/code.ts";
import { keepDebuggerClosed } from "./io/debugger.ts";

/** The way in: `run` is in start.cjs, every other command in cli.cjs. */

keepDebuggerClosed();

if (process.argv[2] === "run") run(process.argv.slice(3));
else require("./cli.cjs");

function run(args: readonly string[]): void {
  const { load, keep } = openChunks(__dirname, require);
  const start: unknown = Reflect.get(load("./start.cjs"), "start");
  if (typeof start !== "function") throw new TypeError("start.cjs is not of this version");
  Reflect.apply(start, undefined, [args, { folder: __dirname, keep }]);
}
