import { expect, test } from "vitest";
import { journalOf } from "../../src/core/journal.ts";
import type { Fields, Provider, WholeSecret } from "../../src/core/provider.ts";
import { formatRef, parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { readJournal } from "../../src/rotate/journal.ts";
import { carryRotation, isCarried, judgeMove, type Sides } from "../../src/rotate/moving.ts";
import { parseRotation } from "../../src/rotate/settings.ts";
import { random } from "../helpers/local-store.ts";

const FROM = "mcp-secret://local/db";
const TO = "mcp-secret://team/kv/db";
const VALUE = { value: new Secret("one") };
const request = () => ({ deadline: Date.now() + 5_000 });

interface Memory extends Provider {
  readonly held: Map<string, WholeSecret>;
}

/** A store in memory, with compare-and-swap. */
function memory(more: Partial<Provider> = {}): Memory & Required<Pick<Provider, "read" | "put">> {
  const held = new Map<string, WholeSecret>();
  return {
    held,
    resolve: () => Promise.reject(new Error("not asked for")),
    read: (path) => Promise.resolve(held.get(path)),
    put(path, fields, { ifVersion }) {
      const version = held.get(path)?.version ?? 0;
      if (version !== ifVersion) return Promise.reject(new UserError("secret-exists", "another version"));
      held.set(path, { fields, version: version + 1 });
      return Promise.resolve(version + 1);
    },
    describe: (path) =>
      Promise.resolve({
        path,
        fields: [],
        version: held.get(path)?.version ?? 0,
        updatedAt: held.has(path) ? 1000 : 0,
      }),
    ...more,
  };
}

function sides(more: Partial<Provider> = {}, [from, to] = [FROM, TO]) {
  const [source, target] = [memory(), memory(more)];
  const both = { from: { provider: source, ref: parseRef(from) }, to: { provider: target, ref: parseRef(to) } };
  source.held.set(both.from.ref.path, { fields: VALUE, version: 7 });
  target.held.set(both.to.ref.path, { fields: VALUE, version: 1 });
  return { source, target, both };
}

const settingsFor = (...names: string[]) =>
  parseRotation(Object.fromEntries(names.map((name) => [name, { target: "command" }])));

const STATE = { phase: "idle", id: "0".repeat(26), target: "command", startedAt: 5, deadline: 0, base: 6, attempt: 1 };

const HELD = new Secret(JSON.stringify({ value: "one" }));

const journal = (state: object = {}, values: Fields = { current: HELD, candidate: HELD }): WholeSecret => ({
  fields: { state: new Secret(JSON.stringify({ v: 1, ...STATE, ...state })), ...values },
  version: 3,
});

async function carry(both: Sides, settings = settingsFor(FROM)) {
  await carryRotation(both, { settings, fields: VALUE, now: () => 2000, random, request });
}

async function stateAt(provider: ReturnType<typeof memory>, ref: string) {
  const found = await readJournal({ provider, ref: parseRef(ref) }, request());
  if (found.type !== "journal") throw new Error(found.type);
  return found;
}

test.each([
  ["nothing of it", {}, undefined, { rotated: false }],
  ["settings", {}, settingsFor(FROM), { rotated: true }],
  ["a journal of this machine alone, as a person's secret has", { local: journal() }, undefined, { rotated: true }],
  ["settings and a journal that rests", { local: journal() }, settingsFor(FROM), { rotated: true }],
  [
    "a closed journal, of the same move",
    { local: journal({ phase: "stuck", movedTo: TO }) },
    undefined,
    { rotated: true },
  ],
  ["a rotation that rests there", { team: journal() }, settingsFor(FROM), { rotated: true }],
  [
    "a rotation there that is closed",
    { team: journal({ phase: "stuck", movedTo: FROM }) },
    settingsFor(FROM),
    { rotated: true },
  ],
])("moves: %s", async (_, { local, team }: { local?: WholeSecret; team?: WholeSecret }, settings, expected) => {
  const { source, target, both } = sides();
  if (local !== undefined) source.held.set(journalOf("db"), local);
  if (team !== undefined) target.held.set(journalOf("kv/db"), team);
  expect(await judgeMove(both, settings ?? settingsFor(), request())).toEqual(expected);
});

test.each([
  ["claimed", { local: journal({ phase: "claimed" }) }, settingsFor(FROM), /under way \(claimed\): end it first/],
  ["draining, of a person", { local: journal({ phase: "draining" }) }, settingsFor(), /under way \(draining\)/],
  ["stuck", { local: journal({ phase: "stuck" }) }, settingsFor(FROM), /under way \(stuck\)/],
  [
    "moved elsewhere",
    { local: journal({ phase: "stuck", movedTo: `${TO}-2` }) },
    settingsFor(),
    /rotated as .*kv\/db-2/,
  ],
  ["damaged", { local: journal({ phase: "?" }) }, settingsFor(FROM), /does not know/],
  [
    "under way there",
    { team: journal({ phase: "claimed" }) },
    settingsFor(FROM),
    /of mcp-secret:\/\/team\/kv\/db is under way/,
  ],
  ["named by two settings", {}, settingsFor(FROM, TO), /has settings for the rotation of .* and of .*: remove one/],
  ["the store's own", {}, parseRotation({ [FROM]: { target: "native" } }), /its own store rotates it/],
])("stays: %s", async (_, { local, team }: { local?: WholeSecret; team?: WholeSecret }, settings, stays) => {
  const { source, target, both } = sides();
  if (local !== undefined) source.held.set(journalOf("db"), local);
  if (team !== undefined) target.held.set(journalOf("kv/db"), team);
  const before = [[...source.held], [...target.held]];
  expect(await judgeMove(both, settings, request())).toEqual({ stays: expect.stringMatching(stays) });
  expect([[...source.held], [...target.held]]).toEqual(before);
});

test("stays where another machine rotates it in a shared store, and where the other store cannot do it", async () => {
  const shared = sides({}, [TO, FROM]);
  shared.source.held.set(journalOf("kv/db"), journal());
  const elsewhere = await judgeMove(shared.both, settingsFor(), request());
  expect(elsewhere).toEqual({ stays: expect.stringContaining("another machine rotates it") });
  const refused = () => Promise.reject(new UserError("refused", "it keeps 1 version"));
  const few = sides({ checkRetention: refused });
  expect(await judgeMove(few.both, settingsFor(FROM), request())).toEqual({ stays: "it keeps 1 version" });
  // What nobody rotates needs no such store.
  expect(await judgeMove(few.both, settingsFor(), request())).toEqual({ rotated: false });
});

test("a journal that may not be read is none, but where settings name the secret", async () => {
  const { both } = sides();
  const denied = () => Promise.reject(new UserError("store-denied", "no"));
  const from = { ...both.from, provider: { ...both.from.provider, read: denied } };
  expect(await judgeMove({ ...both, from }, settingsFor(), request())).toEqual({ rotated: false });
  await expect(judgeMove({ ...both, from }, settingsFor(FROM), request())).rejects.toMatchObject({
    code: "store-denied",
  });
});

test("state and values go along, the age too; the old journal is closed; the same again changes nothing", async () => {
  const { source, target, both } = sides();
  const last = { id: STATE.id, at: 900, result: "rotated", version: 7 };
  const previous = new Secret(JSON.stringify({ value: "zero" }));
  source.held.set(journalOf("db"), journal({ last }, { previous }));
  await carry(both);
  const [old, open] = [await stateAt(source, FROM), await stateAt(target, TO)];
  expect(old.state).toMatchObject({ phase: "stuck", movedTo: TO, last, id: STATE.id });
  expect(open.state).toEqual({ ...STATE, base: 1, last, made: { version: 1, at: 1000 } });
  expect(open.values.previous?.["value"]?.expose()).toBe("zero");
  expect(await isCarried(both.from, both.to.ref, request())).toBe(true);
  const before = [[...source.held], [...target.held]];
  await carry(both);
  expect([[...source.held], [...target.held]]).toEqual(before);
});

test("back again: the journal there is opened, and the age is still that of the value", async () => {
  const { source, target, both } = sides();
  await carry(both);
  target.held.set("kv/db", { fields: VALUE, version: 1 });
  await carry({ from: both.to, to: both.from }, settingsFor(TO));
  const [here, there] = [await stateAt(source, FROM), await stateAt(target, TO)];
  expect(here.state).toMatchObject({ phase: "idle", target: "command", made: { version: 7, at: 1000 } });
  expect(here.state.movedTo).toBeUndefined();
  expect(there.state).toMatchObject({ phase: "stuck", movedTo: formatRef(both.from.ref) });
});

test("one that rests there is theirs who rotate it there", async () => {
  const { target, both } = sides();
  target.held.set(journalOf("kv/db"), journal({ startedAt: 77 }));
  await carry(both);
  expect((await stateAt(target, TO)).state.startedAt).toBe(77);
});

test("rotated meanwhile: nothing is closed, and it is planned again", async () => {
  const replaced = sides();
  replaced.source.held.set("db", { fields: { value: new Secret("two") }, version: 8 });
  await expect(carry(replaced.both)).rejects.toMatchObject({ code: "config-changed" });
  const begun = sides();
  // Between the look at the journal and the swap.
  const read = async (path: string) => {
    const found = begun.source.held.get(path);
    if (path === "db") begun.source.held.set(journalOf("db"), journal({ phase: "claimed" }));
    return found;
  };
  const from = { ...begun.both.from, provider: { ...begun.source, read } };
  await expect(carry({ ...begun.both, from })).rejects.toMatchObject({ code: "config-changed" });
  for (const { source, target } of [replaced, begun]) {
    expect(source.held.get(journalOf("db"))?.fields["state"]?.expose() ?? "").not.toContain("movedTo");
    expect(target.held.has(journalOf("kv/db"))).toBe(false);
  }
});
