import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { UserError } from "../../../src/errors.ts";
import { temporaryHome } from "../../helpers/local-store.ts";

/** The store against the simplest thing that does the same: a Map. */
type Model = Map<string, { version: number; fields: Record<string, string> }>;
type Store = ReturnType<ReturnType<typeof temporaryHome>["open"]>;

const path = fc.constantFrom("a", "a/b", "a/b/c", "A.age", "con", "x.");
const fields = fc.dictionary(fc.constantFrom("value", "user", "__proto__"), fc.string({ maxLength: 8 }), {
  minKeys: 1,
});

const put = fc.record({ op: fc.constant("put"), path, fields, drift: fc.constantFrom(0, 0, 0, -1, 1) });
const other = fc.record({ op: fc.constantFrom("remove", "resolve", "describe", "list"), path });
type Operation = { op: string; path: string; fields?: Record<string, string>; drift?: number };

describe("any sequence of operations", () => {
  test("does what a map does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(put, other), { maxLength: 30 }), async (operations) => {
        using at = temporaryHome();
        const model: Model = new Map();
        for (const operation of operations) await step(at.open(), model, operation);
        const stored = model.size === 0 ? [] : at.files().filter((file) => file.endsWith(".age"));
        expect(stored).toHaveLength(model.size);
      }),
      { numRuns: 40 },
    );
  });
});

async function step(
  store: Store,
  model: Model,
  { op, path: at, fields: given = {}, drift = 0 }: Operation,
): Promise<void> {
  const known = model.get(at);
  if (op === "put") return stepPut(store, model, at, given, drift);
  if (op === "remove") {
    expect(await outcome(store.remove(at))).toBe(known === undefined ? "secret-not-found" : "ok");
    model.delete(at);
  }
  if (op === "resolve") {
    const names = Object.keys(known?.fields ?? { value: "" });
    const asked = store.resolve(
      names.map((field) => ({ store: "local", path: at, field })),
      { deadline: 0 },
    );
    if (known === undefined) return expect(await outcome(asked)).toBe("secret-not-found");
    const answers = (await asked).map((answer) => [answer.value.expose(), answer.version]);
    expect(answers).toEqual(
      names.map((name) => [Object.getOwnPropertyDescriptor(known.fields, name)?.value, known.version]),
    );
  }
  if (op === "describe") {
    const summary = await store.describe(at);
    expect(summary && [summary.version, summary.fields]).toEqual(
      known && [known.version, Object.keys(known.fields).toSorted()],
    );
  }
  if (op === "list") expect((await store.list()).map((summary) => summary.path)).toEqual([...model.keys()].toSorted());
}

async function stepPut(
  store: Store,
  model: Model,
  at: string,
  given: Record<string, string>,
  drift: number,
): Promise<void> {
  const version = model.get(at)?.version ?? 0;
  const secrets = Object.fromEntries(Object.entries(given).map(([name, text]) => [name, new Secret(text)]));
  const result = await outcome(store.put(at, secrets, { ifVersion: version + drift }));
  expect(result).toBe(drift === 0 ? "ok" : "secret-exists");
  if (drift === 0) model.set(at, { version: version + 1, fields: given });
}

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (error instanceof UserError) return error.code;
    throw error;
  }
}
