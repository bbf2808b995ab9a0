import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createFiles } from "../../src/io/files.ts";
import { isDead, listLeaseNotes, openLeaseJournal } from "../../src/launch/lease-journal.ts";
import { reapNotes } from "../../src/launch/reap.ts";
import { reapScript } from "../../src/launch/watcher.ts";
import { UserError } from "../../src/errors.ts";

function place() {
  const home = mkdtempSync(join(tmpdir(), "lease-notes-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  let count = 0;
  return { home, files: createFiles({ platform: process.platform, random: () => String((count += 1)) }) };
}

const OWNER = { launch: "a1", entry: "cursor/github", pid: 7, started: "99" };
const lease = (id: string) => ({ id, ref: { store: "team", path: "x" }, expiresAt: 0, duration: 0, renewable: true });
const credential = { id: "accessor", expiresAt: 0, duration: 0, endsAt: 0, renewable: true };

test("every step is on disk when it returns, and concurrent ones lose nothing", async () => {
  const at = place();
  const steps: string[] = [];
  const journal = openLeaseJournal(at, OWNER);
  const team = journal.forStore("team", async () => void steps.push("stands by"));
  await team.intent();
  expect([steps, listLeaseNotes(at)]).toEqual([
    ["stands by"],
    [{ v: 1, ...OWNER, stores: { team: { leases: [], credentials: [] } } }],
  ]);
  await team.made(credential);
  await Promise.all(["l1", "l2", "l3"].map((id) => team.leased(lease(id))));
  expect(listLeaseNotes(at)[0]?.stores).toEqual({ team: { leases: ["l1", "l2", "l3"], credentials: ["accessor"] } });
  await journal.settle({ team: { leases: ["l2"], credentials: [] } });
  expect(listLeaseNotes(at)[0]?.stores).toEqual({ team: { leases: ["l2"], credentials: [] } });
  await journal.settle({ team: { leases: [], credentials: [] } });
  expect(listLeaseNotes(at)).toEqual([]);
});

test("a damaged or foreign note is left out", async () => {
  const at = place();
  await openLeaseJournal(at, OWNER)
    .forStore("team", async () => {})
    .intent();
  const folder = join(at.home, "journal/leases");
  const bad = [
    "",
    "{",
    "[]",
    '{"v":1}',
    JSON.stringify({ v: 1, ...OWNER, launch: "../x", stores: {} }),
    JSON.stringify({ v: 1, ...OWNER, stores: { team: 1 } }),
  ];
  bad.forEach((text, index) => writeFileSync(join(folder, `bad${index}.json`), text));
  expect(listLeaseNotes(at).map(({ launch }) => launch)).toEqual(["a1"]);
});

test("a launcher is dead where its number is free or another's", () => {
  const note = { v: 1, ...OWNER, stores: {} } as const;
  expect([isDead(note, () => "99"), isDead(note, () => "100"), isDead(note, () => undefined)]).toEqual([
    false,
    true,
    true,
  ]);
});

test("reaping keeps what a store could not take back, and what belongs to a store that is gone", async () => {
  const at = place();
  const journal = openLeaseJournal(at, OWNER);
  for (const store of ["team", "gone"]) await journal.forStore(store, async () => {}).leased(lease(`${store}-1`));
  await journal.forStore("team", async () => {}).leased(lease("team-2"));
  const openStore = async (store: string) => {
    if (store === "gone") throw new UserError("store-unknown", "there is no store gone");
    return { resolve: async () => [], reap: async () => ({ leases: ["team-2"], credentials: [] }) };
  };
  const reaped = await reapNotes({ ...at, now: () => 5, openStore }, listLeaseNotes(at));
  expect(reaped).toEqual([{ launch: "a1", entry: "cursor/github", revoked: 1, left: 2 }]);
  expect(listLeaseNotes(at)[0]).toMatchObject({
    tried: 5,
    stores: { team: { leases: ["team-2"] }, gone: { leases: ["gone-1"] } },
  });
});

test("the watcher starts the program again when its input ends, whatever its paths hold", () => {
  const home = join(place().home, 'it\'s $HOME "here"');
  const print =
    "process.stdout.write(JSON.stringify([process.env.MCPS_HOME, process.env.HOME, process.argv.slice(1)]))";
  const script = reapScript({ self: [process.execPath, "-e", print, "--"], home, userHome: "/u'" }, "a1");
  const done = spawnSync("/bin/sh", ["-c", script], { input: "noise\n", encoding: "utf8", env: {} });
  expect(JSON.parse(done.stdout)).toEqual([home, "/u'", ["reap", "--launch", "a1"]]);
});

test("what ends by itself at once needs nobody to stand by; a lease does, whoever asked for it", async () => {
  const at = place();
  const steps: string[] = [];
  const journal = openLeaseJournal(at, OWNER);
  const team = journal.forStore("team", async () => void steps.push("stands by"));
  await team.intent(true);
  await team.made(credential);
  expect([steps, listLeaseNotes(at)[0]?.stores]).toEqual([[], { team: { leases: [], credentials: ["accessor"] } }]);
  await team.leased(lease("l1"));
  expect(steps).toEqual(["stands by"]);
});

test("settling tells whether there was anything to settle", async () => {
  const at = place();
  expect(await openLeaseJournal(at, OWNER).settle({})).toBe(false);
  const journal = openLeaseJournal(at, OWNER);
  await journal.forStore("team", async () => {}).intent(true);
  expect(await journal.settle({})).toBe(true);
  expect(listLeaseNotes(at)).toEqual([]);
});
