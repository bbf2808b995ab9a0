import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextStep, pauseAfter, renewAfter, replaceAfter, stoppedGrowing } from "../../src/core/lease.ts";

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const life = fc.integer({ min: 1_000, max: 32 * 86_400_000 });

describe("when", () => {
  test("a renewal comes at 70 to 74 % of what remains", () => {
    expect([renewAfter(60_000, 0), renewAfter(60_000, 1)]).toEqual([42_000, 44_000]);
    fc.assert(fc.property(life, chance, (left, luck) => renewAfter(left, luck) < left));
  });

  test("a new one is fetched at 0.85 to 0.95 of the life", () => {
    expect([replaceAfter(60_000, 0), replaceAfter(60_000, 0.5), replaceAfter(60_000, 1)]).toEqual([
      51_000, 54_000, 57_000,
    ]);
    fc.assert(fc.property(life, chance, (left, luck) => replaceAfter(left, luck) < left));
  });

  test("back-off is 10 s doubling to 5 min where the lease is long", () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7, 60].map((failures) => pauseAfter(failures, Infinity, 0));
    expect(pauses).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
  });

  test("a short lease is tried again while it lives, and never more than once a second", () => {
    expect(pauseAfter(1, 6_000, 0)).toBe(2_000);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: -1_000, max: 86_400_000 }),
        chance,
        (failures, left, luck) => {
          const pause = pauseAfter(failures, left, luck);
          return pause >= 1_000 && pause <= 300_000;
        },
      ),
    );
  });

  test("growth that has stopped is noticed, and rounding is not taken for it", () => {
    expect([stoppedGrowing(60_000, 60_000), stoppedGrowing(60_000, 59_000), stoppedGrowing(60_000, 30_000)]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe("a life of a lease, played through", () => {
  interface Play {
    readonly ttl: number;
    readonly outages: readonly boolean[];
    readonly luck: number;
  }
  const plays: fc.Arbitrary<Play> = fc.record({
    ttl: fc.integer({ min: 5_000, max: 86_400_000 }),
    outages: fc.array(fc.boolean(), { minLength: 1, maxLength: 60 }),
    luck: chance,
  });

  test("it never ends while the issuer answers, and no two requests are closer than a second", () => {
    fc.assert(
      fc.property(plays, ({ ttl, outages, luck }) => {
        let now = 0;
        let failures = 0;
        let expiresAt = ttl;
        let last = -1_000;
        for (const down of outages) {
          const step = nextStep({ expiresAt, duration: ttl, renewable: true }, now, failures, luck);
          expect(step.type).toBe("renew");
          expect(step.at - last).toBeGreaterThanOrEqual(1_000);
          if (failures === 0) expect(step.at).toBeLessThan(expiresAt);
          now = step.at;
          last = now;
          failures = down ? failures + 1 : 0;
          if (!down) expiresAt = now + ttl;
        }
      }),
    );
  });

  test("after an outage shorter than what remains it is renewed in time", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10_000, max: 3_600_000 }), chance, (ttl, luck) => {
        const first = nextStep({ expiresAt: ttl, duration: ttl, renewable: true }, 0, 0, luck);
        const second = nextStep({ expiresAt: ttl, duration: ttl, renewable: true }, first.at, 1, luck);
        return second.at < ttl;
      }),
    );
  });

  test("one that cannot be renewed is replaced before its end", () => {
    fc.assert(
      fc.property(life, chance, (ttl, luck) => {
        const step = nextStep({ expiresAt: ttl, duration: ttl, renewable: false }, 0, 0, luck);
        return step.type === "replace" && step.at < ttl;
      }),
    );
  });
});
