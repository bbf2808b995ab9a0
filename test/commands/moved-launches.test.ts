import { expect, onTestFinished, test } from "vitest";
import { followMoves } from "../../src/commands/moved-launches.ts";
import { Journal, newMigration } from "../../src/migrate/journal.ts";
import { holdersBefore } from "../../src/rotate/holders.ts";
import { parseRef } from "../../src/core/ref.ts";
import { temporaryHome } from "../helpers/local-store.ts";

const launch = (ref: string, version?: number) => ({
  v: 1 as const,
  id: "a",
  entry: "custom/s",
  pid: 1,
  started: "",
  since: "2026-11-25T10:00:00.000Z",
  refs: [{ ref, ...(version !== undefined && { version }) }],
});

/** A home in which secrets were moved, one migration after the other. */
async function homeAfter(...moves: readonly (readonly [string, string])[]) {
  const temporary = temporaryHome();
  onTestFinished(() => temporary[Symbol.dispose]());
  const { files, home } = temporary.options();
  const journal = new Journal(files, home);
  for (const [at, move] of moves.entries()) {
    const facts = { config: "/c", client: "custom", at: "2026-11-25T10:00:00.000Z", before: "0".repeat(64) };
    const edits = { after: "1".repeat(64), servers: ["s"], edits: [], moves: [move] };
    await journal.write(newMigration({ id: `${at}`, ...facts, ...edits }));
  }
  return { files, home };
}

const [LOCAL, TEAM, PROD] = ["mcp-secret://local/a", "mcp-secret://team/kv/a", "mcp-secret://prod/a"];

test("a server that was started before the move holds what is rotated now, by whatever way it went there", async () => {
  const home = await homeAfter([LOCAL, TEAM], [TEAM, PROD]);
  const running = followMoves(home, [launch(`${LOCAL}#password`, 3)]);
  expect(running[0]?.refs).toEqual([
    { ref: `${LOCAL}#password`, version: 3 },
    { ref: `${TEAM}#password` },
    { ref: `${PROD}#password` },
  ]);
  for (const place of [TEAM, PROD]) expect(holdersBefore(running, parseRef(place), 2)).toEqual(["custom/s"]);
  expect(holdersBefore(followMoves(home, [launch(TEAM)]), parseRef(LOCAL), 9)).toEqual([]);
});

test("back again: its own version is what counts", async () => {
  const home = await homeAfter([LOCAL, TEAM], [TEAM, LOCAL]);
  const running = followMoves(home, [launch(LOCAL, 3)]);
  expect(holdersBefore(running, parseRef(LOCAL), 3)).toEqual([]);
  expect(holdersBefore(running, parseRef(LOCAL), 4)).toEqual(["custom/s"]);
  expect(holdersBefore(followMoves(home, [launch(TEAM, 1)]), parseRef(LOCAL), 1)).toEqual(["custom/s"]);
});

test("without moves, nothing is read anew", async () => {
  const launches = [launch(LOCAL, 3)];
  expect(followMoves(await homeAfter(), launches)).toBe(launches);
});
