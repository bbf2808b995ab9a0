#!/usr/bin/env node
import { join } from "node:path";
import { loadCode } from "./io/code.ts";

/** The way in: `run` is in start.cjs, every other command in cli.cjs. */

// A signal that makes Node open its debugger, to whoever may signal us (node(1), "Signal events").
process.on("SIGUSR1", () => {});

if (process.argv[2] === "run") run(process.argv.slice(3));
else require("./cli.cjs");

function run(args: readonly string[]): void {
  const { exports, keep } = loadCode(join(__dirname, "start.cjs"), require);
  const start: unknown = Reflect.get(exports, "start");
  if (typeof start !== "function") throw new TypeError("start.cjs is not of this version");
  Reflect.apply(start, undefined, [args, keep]);
}
