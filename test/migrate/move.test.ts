import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonc } from "../../src/clients/jsonc.ts";
import { formatRef, parseRef } from "../../src/core/ref.ts";
import { type Destinations, heldRefs, movedSecrets, movedText, withMoves } from "../../src/migrate/move.ts";
import { makePlan, type Plan } from "../../src/migrate/plan.ts";
import { inputOf, LAUNCHER, rewritten, type Spot } from "./configs.ts";

const LOCAL = (store: string) => store === "local";

/** Every secret of the local store goes to `team`, below `kv`, but for those that `left` names. */
function moved(config: string, spots: readonly Spot[] = [], left: Readonly<Record<string, string>> = {}): Plan {
  const inputs = [inputOf(config, spots)];
  const destinations: Destinations = new Map(
    heldRefs(inputs, LOCAL).map(({ ref: { path } }) => {
      const reason = left[path];
      const to = { store: "team", path: `kv/${path}` };
      return [`mcp-secret://local/${path}`, reason === undefined ? { to } : { left: reason }];
    }),
  );
  const plan = makePlan(inputs, [], { store: "team", folder: "kv", launcher: LAUNCHER });
  return withMoves(plan, inputs, { leaves: LOCAL, destinations });
}

const entry = (words: readonly string[], env: Readonly<Record<string, string>> = {}) => ({
  command: LAUNCHER.command,
  args: ["run", "--entry", "c/s", "--", ...words],
  env,
});
const config = (servers: object) => JSON.stringify({ mcpServers: servers });

describe("references to a store that is left", () => {
  it("lead to the new places wherever they stand, fields as they were spelled, and nothing else changes", () => {
    const text = config({
      s: entry(["npx", "--url=postgres://u:mcp-secret://local/db#password@h/x", "--t=mcp-secret://local/db#value/y"], {
        A: "mcp-secret://local/a mcp-secret://prod/b",
      }),
    });
    const plan = moved(text);
    expect(rewritten(text, plan)).toBe(text.replaceAll("mcp-secret://local/", "mcp-secret://team/kv/"));
    expect(plan.configs[0]?.moves?.map(({ from, to }) => to && [formatRef(from), formatRef(to)])).toEqual([
      ["mcp-secret://local/db#password", "mcp-secret://team/kv/db#password"],
      ["mcp-secret://local/db#value", "mcp-secret://team/kv/db#value"],
      ["mcp-secret://local/a", "mcp-secret://team/kv/a"],
    ]);
    expect(movedSecrets(plan.configs[0]?.moves ?? [])).toEqual([
      ["mcp-secret://local/db", "mcp-secret://team/kv/db"],
      ["mcp-secret://local/a", "mcp-secret://team/kv/a"],
    ]);
  });

  it("make an entry that is renewed, not approved: as it was, and as it will be", () => {
    const [planned] = moved(config({ s: entry(["x"], { A: "mcp-secret://local/a" }) })).configs[0]?.entries ?? [];
    expect(planned).toMatchObject({ id: "c/s", was: { env: { A: "mcp-secret://local/a" } } });
    expect(planned?.env).toEqual({ A: "mcp-secret://team/kv/a" });
  });

  it("move with the plaintext beside them, in one string and in the words behind the launcher", () => {
    const text = config({
      s: { command: "psql", args: ["mcp-secret://local/a:s3cret"], env: { B: "mcp-secret://local/b" } },
    });
    const plan = moved(text, [["/mcpServers/s/args/0", "s3cret", { name: "password" }]]);
    const after = JSON.parse(rewritten(text, plan)).mcpServers.s;
    expect(after.args.slice(4)).toEqual(["psql", "mcp-secret://team/kv/a:mcp-secret://team/kv/s/password"]);
    expect(after.env).toEqual({ B: "mcp-secret://team/kv/b" });
    const [planned] = plan.configs[0]?.entries ?? [];
    expect(planned).toMatchObject({ args: after.args.slice(5), env: after.env });
    expect(planned?.was).toBeUndefined();
  });

  it("move where somebody wrote them into the command, which goes behind the launcher", () => {
    const text = config({ s: { command: "mcp-secret://local/program" } });
    expect(JSON.parse(rewritten(text, moved(text))).mcpServers.s.args.at(-1)).toBe("mcp-secret://team/kv/program");
  });
});

describe("a reference stays, with its reason,", () => {
  const why = (plan: Plan) => plan.configs[0]?.moves?.map(({ left }) => left);

  it("where its secret cannot move; others in the entry do", () => {
    const text = config({ s: entry(["x"], { A: "mcp-secret://local/a", B: "mcp-secret://local/b" }) });
    const plan = moved(text, [], { a: "an engine makes it" });
    expect(why(plan)).toEqual(["an engine makes it", undefined]);
    expect(rewritten(text, plan)).toBe(text.replace("local/b", "team/kv/b"));
  });

  it.each([
    ["a remote entry", { url: "https://h/?k=mcp-secret://local/a" }, [], /remote/],
    [
      "an entry whose plaintext stays",
      { command: "x --k s3cret", env: { A: "mcp-secret://local/a" } },
      ["s3cret"],
      /split/,
    ],
    ["an entry with what is no reference", entry(["mcp-secret://local/a", "mcp-secret://"]), [], /is no reference/],
  ] as const)("in %s; its secret is not even read", (_, server, secrets, reason) => {
    const text = config({ s: server });
    const spots = secrets.map((secret): Spot => ["/mcpServers/s/command", secret]);
    expect(heldRefs([inputOf(text, spots)], LOCAL)).toEqual([]);
    const plan = moved(text, spots);
    expect(why(plan)).toEqual([expect.stringMatching(reason)]);
    expect(plan.configs[0]?.edits.filter((edit) => edit.type === "replace" && edit.text.includes("team"))).toEqual([]);
  });

  it("and with none at all a plan is as it was", () => {
    const plan = moved(config({ s: entry(["x"], { A: "mcp-secret://prod/a" }) }));
    expect(plan.configs).toEqual([expect.objectContaining({ edits: [], entries: [] })]);
    expect(plan.configs[0]).not.toHaveProperty("moves");
  });
});

/** Texts with references in them: what stands right behind one never runs into it. */
const part = fc.oneof(
  fc.constantFrom("--a=", " ", ":", "@h/", "ü€", '"', "\\", ""),
  fc
    .tuple(fc.constantFrom("local", "prod"), fc.constantFrom("a", "a/b", "x-1"), fc.constantFrom("", "#f", "#value"))
    .map(([store, path, field]) => `mcp-secret://${store}/${path}${field} `),
);
const text = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(""));

describe("for any entry", () => {
  it("there and back gives the same bytes, and only references change on the way", () => {
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 4 }),
        fc.dictionary(fc.stringMatching(/^[A-Z]{1,3}$/), text),
        (words, env) => {
          const before = config({ s: entry(["x", ...words], env) });
          const there = rewritten(before, moved(before));
          expect(there).toBe(before.replaceAll("mcp-secret://local/", "mcp-secret://team/kv/"));
          const inputs = [inputOf(there, [])];
          const leaves = (store: string) => store === "team";
          const back: Destinations = new Map(
            heldRefs(inputs, leaves).map(({ ref: { path } }) => [
              `mcp-secret://team/${path}`,
              { to: { store: "local", path: path.slice("kv/".length) } },
            ]),
          );
          const plan = makePlan(inputs, [], { store: "local", launcher: LAUNCHER });
          const home = withMoves(plan, inputs, { leaves, destinations: back });
          expect(jsonc.edit(Buffer.from(there), home.configs[0]?.edits ?? []).toString()).toBe(before);
        },
      ),
    );
  });

  it("a text that moves has the references of before, each at its new place", () => {
    const to = { to: parseRef("mcp-secret://team/kv/a") };
    expect(movedText("https://u:mcp-secret://local/a#f~raw@h", new Map([["mcp-secret://local/a", to]]))).toMatch(
      /#f~raw@h$/,
    );
    expect(movedText("mcp-secret://local/a#f mcp-secret://local/ab", new Map([["mcp-secret://local/a", to]]))).toBe(
      "mcp-secret://team/kv/a#f mcp-secret://local/ab",
    );
  });
});
