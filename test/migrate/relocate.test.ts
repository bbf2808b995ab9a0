import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { open } from "../../providers/local/index.ts";
import type { Fields, Provider } from "../../src/core/provider.ts";
import { parseRef } from "../../src/core/ref.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { copySecrets } from "../../src/migrate/copy.ts";
import { type HeldRef, secretOf } from "../../src/migrate/move.ts";
import { knownAfter, planRelocations, type RelocationPorts } from "../../src/migrate/relocate.ts";
import { type TemporaryHome, temporaryHome } from "../helpers/local-store.ts";
import { failureOf } from "../providers/parts.ts";

/** Between two real stores that need no server: `a` and `b`, each in a home of its own. */

let homes: Record<"a" | "b", TemporaryHome>;
let stores: Record<"a" | "b", Provider>;
beforeEach(() => {
  homes = { a: temporaryHome(), b: temporaryHome() };
  stores = { a: open({ ...homes.a.options(), store: "a" }), b: open({ ...homes.b.options(), store: "b" }) };
});
afterEach(() => Object.values(homes).forEach((home) => home[Symbol.dispose]()));

const fields = (of: Readonly<Record<string, string>>): Fields =>
  Object.fromEntries(Object.entries(of).map(([name, value]) => [name, new Secret(value)]));
const put = (store: "a" | "b", path: string, of: Readonly<Record<string, string>>, ifVersion = 0) =>
  stores[store].put?.(path, fields(of), { ifVersion });

function portsTo(store: string, changes: Partial<RelocationPorts> = {}): RelocationPorts {
  return {
    store,
    open: async (name) => {
      if (name === "a" || name === "b") return stores[name];
      throw new UserError("store-unknown", `there is no store ${name}`);
    },
    cameFrom: () => undefined,
    request: () => ({ deadline: Date.now() + 10_000 }),
    ...changes,
  };
}

const held = (...texts: string[]): HeldRef[] =>
  texts.map((text, at) => ({ client: "claude-desktop", server: `s${at}`, ref: parseRef(text) }));

async function contents(store: "a" | "b"): Promise<Record<string, string>> {
  const values = (await stores[store].readAll?.()) ?? [];
  return Object.fromEntries(values.map(({ path, field, value }) => [`${path}#${field}`, value.expose()]));
}

describe("secrets that move", () => {
  it("go whole, once each, under their own paths; sources stay", async () => {
    await put("a", "db/app", { username: "u", password: "p", port: "5432" });
    await put("a", "mail/TOKEN", { value: "t" });
    const refs = ["mcp-secret://a/db/app#username", "mcp-secret://a/mail/TOKEN", "mcp-secret://a/db/app#password"];
    const ports = portsTo("b");
    const plan = await planRelocations(held(...refs), ports);
    expect(await contents("b")).toEqual({});
    expect(
      plan.relocations.map(({ from, to, known, origin }) => [secretOf(from), secretOf(to), known, origin]),
    ).toEqual([
      ["mcp-secret://a/db/app", "mcp-secret://b/db/app", false, { client: "claude-desktop", server: "s0" }],
      ["mcp-secret://a/mail/TOKEN", "mcp-secret://b/mail/TOKEN", false, { client: "claude-desktop", server: "s1" }],
    ]);
    expect(await copySecrets(plan.relocations, ports)).toHaveLength(2);
    expect(await contents("b")).toEqual(await contents("a"));
    expect(knownAfter(plan.relocations).map(({ path, field }) => `${path}#${field}`)).toEqual([
      "db/app#password",
      "db/app#port",
      "db/app#username",
      "mail/TOKEN#value",
    ]);
  });

  it("are taken as copied where the same is there, by a run that was killed: one version each", async () => {
    await put("a", "x", { value: "1" });
    const ports = portsTo("b");
    for (const done of [1, 0]) {
      const plan = await planRelocations(held("mcp-secret://a/x"), ports);
      expect(await copySecrets(plan.relocations, ports)).toHaveLength(done);
    }
    expect((await stores.b.describe?.("x"))?.version).toBe(1);
  });

  it("never take the place of another secret: a number is added, also between two of one run", async () => {
    await put("a", "x", { value: "mine" });
    await put("b", "x", { value: "theirs" });
    await put("b", "y", { value: "same", more: "field" });
    await put("a", "y", { value: "same" });
    await put("a", "Z", { value: "1" });
    await put("a", "z", { value: "2" });
    const ports = portsTo("b");
    const plan = await planRelocations(
      held("mcp-secret://a/x", "mcp-secret://a/y", "mcp-secret://a/Z", "mcp-secret://a/z"),
      ports,
    );
    expect(plan.relocations.map(({ to }) => to.path)).toEqual(["x-2", "y-2", "Z", "z-2"]);
    await copySecrets(plan.relocations, ports);
    expect(await contents("b")).toMatchObject({ "x#value": "theirs", "x-2#value": "mine", "y-2#value": "same" });
  });

  it("go back to the very place that they came from", async () => {
    await put("b", "moved/there", { value: "1" });
    await put("a", "here-2", { value: "1" });
    const cameFrom = () => parseRef("mcp-secret://a/here-2");
    const plan = await planRelocations(held("mcp-secret://b/moved/there"), portsTo("a", { cameFrom }));
    expect(plan.relocations).toMatchObject([{ to: { store: "a", path: "here-2" }, known: true }]);
    const other = await planRelocations(held("mcp-secret://b/moved/there"), portsTo("a"));
    expect(other.relocations).toMatchObject([{ to: { store: "a", path: "moved/there" }, known: false }]);
  });
});

describe("a secret that cannot move stays, with its reason, and the others go", () => {
  it.each([
    ["mcp-secret://a/missing", /has no mcp-secret:\/\/a\/missing$/],
    ["mcp-secret://a/x#other", /has no mcp-secret:\/\/a\/x#other$/],
    ["mcp-secret://nobody/x", /no store nobody/],
  ])("%s", async (text, reason) => {
    await put("a", "x", { value: "1" });
    await put("a", "y", { value: "2" });
    const plan = await planRelocations(held(text, "mcp-secret://a/y"), portsTo("b"));
    expect(plan.destinations.get(secretOf(parseRef(text)))?.left).toMatch(reason);
    expect(plan.destinations.get("mcp-secret://a/y")?.to).toEqual({ store: "b", path: "y" });
    expect(plan.relocations).toHaveLength(1);
  });
});

describe("what changes between plan and copy", () => {
  it.each([
    ["the source is replaced", () => put("a", "x", { value: "new" }, 1)],
    ["the source is written anew with the same value", () => put("a", "x", { value: "1" }, 1)],
    ["the place is taken by another secret", () => put("b", "x", { value: "other" })],
  ])("is seen where %s", async (_, change) => {
    await put("a", "x", { value: "1" });
    const plan = await planRelocations(held("mcp-secret://a/x"), portsTo("b"));
    await change();
    const failure = await failureOf(() => copySecrets(plan.relocations, portsTo("b")));
    expect(failure).toMatchObject({ code: "config-changed", hint: expect.stringContaining("again") });
  });
});
