import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { startPostgres } from "./postgres.ts";

const PASSWORD = "p@ss#w%rd/1";

/** Logs in with `pg` of server-postgres and prints the user. */
const LOGIN = `const pg = require(${JSON.stringify(resolve("node_modules/pg"))});
  const client = new pg.Client({ host: "127.0.0.1", port: +process.argv[1], user: "postgres", password: process.argv[2] });
  client.connect().then(() => client.query("select current_user as u")).then((r) => { console.log(r.rows[0].u); client.end(); })
    .catch((e) => { console.error(e.code); process.exit(1); });`;

test("a started PostgreSQL takes its password and no other", async ({ skip }) => {
  await using postgres = await startPostgres(PASSWORD);
  if (postgres === undefined) return skip("SKIPPED: no PostgreSQL here, and none can be installed");
  const login = (password: string) =>
    spawnSync(process.execPath, ["-e", LOGIN, String(postgres.port), password], { encoding: "utf8" });
  expect(login(PASSWORD).stdout.trim()).toBe("postgres");
  expect(login("wrong")).toMatchObject({ status: 1, stderr: expect.stringContaining("28P01") });
});
