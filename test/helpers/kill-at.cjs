"use strict";
/**
 * Preloaded (`node -r`) by the crash tests: the process kills itself with SIGKILL at its k-th file operation that
 * changes something, so that production code needs no hook.
 *
 *   KILL_AT=K       before operation K (1 is the first); none where absent
 *   KILL_HALFWAY=1  where operation K writes bytes, half of them are written first
 *   KILL_COUNT=FILE where the process ends by itself, how many operations there were is written to FILE
 *   KILL_CALLS=1    HTTP requests count as well, once before they are sent and once when they are answered, and so do
 *                   starts of processes, before and after
 *   KILL_SHELLS=1   the shells that this process started are killed just before it (Linux)
 */
const fs = require("node:fs");

const at = Number(process.env.KILL_AT ?? 0);
const halfway = process.env.KILL_HALFWAY === "1";
const countFile = process.env.KILL_COUNT;
const real = { writeSync: fs.writeSync, openSync: fs.openSync };
let count = 0;
/** A public function that calls another one is one operation. */
let inside = false;

const CHANGES = [
  "appendFile",
  "chmod",
  "chown",
  "copyFile",
  "fchmod",
  "fchown",
  "fdatasync",
  "fsync",
  "ftruncate",
  "futimes",
  "lchown",
  "link",
  "mkdir",
  "mkdtemp",
  "open",
  "rename",
  "rm",
  "rmdir",
  "symlink",
  "truncate",
  "unlink",
  "utimes",
  "write",
  "writeFile",
  "writev",
];

for (const name of CHANGES) {
  patch(fs, name);
  patch(fs, `${name}Sync`);
  patch(fs.promises, name);
}
if (process.env.KILL_CALLS === "1") {
  const http = require("node:http");
  const { request } = http;
  http.request = (...args) => {
    step("request", []);
    return request(...args).once("response", () => step("response", []));
  };
  const processes = require("node:child_process");
  const { spawn } = processes;
  processes.spawn = (...args) => {
    step("spawn", []);
    const child = spawn(...args);
    step("spawned", []);
    return child;
  };
}
if (countFile !== undefined) {
  process.on("exit", () => {
    inside = true;
    fs.writeFileSync(countFile, String(count));
  });
}

function patch(owner, name) {
  const original = owner[name];
  if (typeof original !== "function") return;
  owner[name] = function patched(...args) {
    if (inside || !changes(name, args)) return original.apply(this, args);
    step(name, args);
    inside = true;
    try {
      return original.apply(this, args);
    } finally {
      inside = false;
    }
  };
}

/** Output to a pipe and a file that is opened for reading change nothing on the disk. */
function changes(name, [first, second]) {
  if (name.startsWith("write") && !name.startsWith("writeFile")) return first > 2;
  if (!name.startsWith("open")) return true;
  return second !== undefined && second !== "r" && typeof second !== "function" && second !== 0;
}

function step(name, args) {
  count += 1;
  if (count === at) die(name, args);
}

function die(name, [target, data]) {
  if (halfway && /^(write|append)/.test(name) && (typeof data === "string" || Buffer.isBuffer(data))) {
    const bytes = Buffer.from(data);
    const fd =
      typeof target === "number" ? target : real.openSync(target, name.startsWith("append") ? "a" : "w", 0o600);
    real.writeSync(fd, bytes, 0, Math.floor(bytes.length / 2));
  }
  if (process.env.KILL_SHELLS === "1") shells().forEach((pid) => process.kill(pid, "SIGKILL"));
  process.kill(process.pid, "SIGKILL");
}

function shells() {
  return fs.readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const status = fs.readFileSync(`/proc/${name}/status`, "utf8");
      return status.includes(`PPid:\t${process.pid}\n`) && /^Name:\t(sh|dash|bash)$/m.test(status);
    } catch {
      return false;
    }
  });
}
