import { describe, expect, test } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { UserError } from "../../../src/errors.ts";
import type { FileSystem } from "../../../src/io/files.ts";
import { failAt, fullAfter } from "../../helpers/faults.ts";
import { type TemporaryHome, temporaryHome } from "../../helpers/local-store.ts";

/**
 * Each operation fails at its k-th call of the file system, for every k until it gets through. Whatever happened, the
 * store answers the old value or the new one, and the same operation can be done again.
 */

const request = { deadline: 0 };
const ref = { store: "local", path: "srv/token" };

interface Scenario {
  readonly before: readonly string[];
  readonly run: (at: TemporaryHome, fs?: FileSystem) => Promise<unknown>;
  /** Undefined: no such secret. */
  readonly after: string | undefined;
}

const putting = (text: string, ifVersion: number) => (at: TemporaryHome, fs?: FileSystem) =>
  at.open(fs).put(ref.path, { value: new Secret(text) }, { ifVersion });

const scenarios: Readonly<Record<string, Scenario>> = {
  "the first put of all": { before: [], run: putting("new", 0), after: "new" },
  "a put over another": { before: ["old"], run: putting("new", 1), after: "new" },
  "a put over one with a previous": { before: ["older", "old"], run: putting("new", 2), after: "new" },
  remove: { before: ["older", "old"], run: (at, fs) => at.open(fs).remove(ref.path), after: undefined },
};
const faults = [
  { when: "before" },
  { when: "after" },
  { when: "before", forGood: true },
  { when: "after", forGood: true },
  { when: "before", code: "ENOSPC" },
] as const;

describe.each(Object.entries(scenarios))("%s", (_, scenario) => {
  test.each(faults)("fails at any call: %o", async (fault) => {
    for (let at = 1; ; at += 1) {
      using home = await prepared(scenario);
      const faulty = failAt({ at, ...fault });
      const failure = await failureOf(scenario.run(home, faulty.fs));
      if (!faulty.failed()) {
        expect(failure).toBeUndefined();
        expect(at).toBeGreaterThan(3);
        break;
      }
      if (failure !== undefined) expect(failure, `call ${at}`).toBeInstanceOf(UserError);
      await expectHealed(home, scenario, `call ${at}`);
      expect(at).toBeLessThan(200);
    }
  });
});

test("a disk that fills up at any byte of a put", async () => {
  const scenario = scenarios["a put over another"]!;
  for (let room = 0; ; room += 37) {
    using home = await prepared(scenario);
    const faulty = fullAfter(room);
    const failure = await failureOf(scenario.run(home, faulty.fs));
    if (!faulty.failed()) break;
    expect(failure).toMatchObject({
      code: "cannot-write",
      exit: 73,
      message: expect.stringContaining("ENOSPC") as string,
    });
    expect(home.files().filter((file) => file.includes("tmp"))).toEqual([]);
    await expectHealed(home, scenario, `${room} bytes`);
  }
});

async function prepared({ before }: Scenario): Promise<TemporaryHome> {
  const home = temporaryHome();
  for (const [index, text] of before.entries()) await putting(text, index)(home);
  return home;
}

async function expectHealed(home: TemporaryHome, scenario: Scenario, context: string): Promise<void> {
  const found = await currentValue(home);
  expect([scenario.before.at(-1), scenario.after], context).toContain(found);
  const version = (await home.open().describe(ref.path))?.version ?? 0;
  await putting("again", version)(home);
  expect(await currentValue(home), context).toBe("again");
  await home.open().remove(ref.path);
  expect(
    home.files().filter((file) => /secrets/.test(file) && !file.includes("tmp")),
    context,
  ).toEqual([]);
}

async function currentValue(home: TemporaryHome): Promise<string | undefined> {
  try {
    return (await home.open().resolve([ref], request))[0]?.value.expose();
  } catch (error) {
    if (error instanceof UserError && error.code === "secret-not-found") return undefined;
    throw error;
  }
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error;
  }
}
