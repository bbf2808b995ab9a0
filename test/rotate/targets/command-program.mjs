// A user's program for the target `command`, over test/servers/issuer.ts: ADDRESS create|test|retire.
import { appendFileSync, readFileSync } from "node:fs";

const [address, action] = process.argv.slice(2);
const { id, current, fields } = JSON.parse(readFileSync(0, "utf8"));
const { MODE = "", LOG } = process.env;
const [when, what] = MODE.split(":");

if (LOG !== undefined) appendFileSync(LOG, `${JSON.stringify({ action, argv: process.argv, env: process.env })}\n`);
process.stderr.write(`noise with ${current.password}\n`);

async function call(operation, body) {
  const administrator = "the-administrator";
  const response = await fetch(`${address}/${operation}`, {
    method: "POST",
    body: JSON.stringify({ administrator, user: "app", password: "", name: "", ...body }),
  });
  return { status: response.status, body: await response.json() };
}

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function create() {
  const { body } = await call("mint", { name: id, password: current.password });
  if (when === "create") return spoil();
  say({ fields: { ...current, password: body.password } });
}

async function test() {
  const { status } = await call("login", { password: fields.password });
  if (when === "test") return spoil();
  say({ verdict: status === 200 ? "valid" : "rejected" });
}

async function retire() {
  if (when === "retire") return spoil();
  await (fields === undefined ? call("discard", { name: id }) : call("retire", { password: fields.password }));
  say({});
}

function spoil() {
  if (what === "killed") process.kill(process.pid, "SIGKILL");
  else if (what === "garbage") process.stdout.write("two\nlines\n");
  else if (what === "lacking") say({ verdict: "lacking", missing: ["write"] });
  else process.exit(Number(what));
}

await { create, test, retire }[action]();
