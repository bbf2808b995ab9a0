import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dueSlot, nextDue, parseWindow, slotOf, type Timing } from "../../src/rotate/schedule.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const at = (text: string) => Date.parse(text);

const minute = fc.integer({ min: 0, max: 1439 });
const window = fc.tuple(minute, minute).filter(([from, until]) => from !== until);
const timing: fc.Arbitrary<Timing> = fc.oneof(
  fc.record({ maxAge: fc.integer({ min: 1000, max: 400 * DAY }) }),
  fc.record({
    maxAge: fc.integer({ min: 1000, max: 400 * DAY }),
    window: window.map(([from, until]) => ({ from, until })),
  }),
);
const instant = fc.integer({ min: at("2020-01-01"), max: at("2040-01-01") });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test.each([
  ["02:00-04:00", { from: 120, until: 240 }],
  ["23:30-00:15", { from: 1410, until: 15 }],
  ["2:00-4:00", undefined],
  ["02:00-24:00", undefined],
  ["02:00-02:00", undefined],
  ["02:00-04:60", undefined],
  ["", undefined],
])("the window %s", (text, expected) => {
  expect(parseWindow(text)).toEqual(expected);
});

describe("a slot", () => {
  test("opens when the value has its age, less what keeps secrets of one day apart", () => {
    const made = at("2026-11-01T00:00Z");
    expect(slotOf({ maxAge: 30 * DAY }, made, 0).id).toBe("2026-12-01T00:00:00.000Z");
    expect(slotOf({ maxAge: 30 * DAY }, made, 0.5).id).toBe("2026-11-30T23:30:00.000Z");
    expect(slotOf({ maxAge: HOUR }, made, 0.5).id).toBe("2026-11-01T00:57:00.000Z");
  });

  test("is the last window in which the value is young enough", () => {
    const night = { from: 120, until: 240 };
    const made = at("2026-11-01T10:00Z");
    expect(slotOf({ maxAge: 2 * DAY, window: night }, made, 0).id).toBe("2026-11-03T02:00:00.000Z");
    // An age shorter than the way to the next window is not kept to: the window is.
    expect(slotOf({ maxAge: HOUR, window: night }, made, 0).id).toBe("2026-11-02T02:00:00.000Z");
  });

  test("that was missed is worked on in the next window, under its own name", () => {
    const night = { maxAge: 2 * DAY, window: { from: 120, until: 240 } };
    const made = at("2026-11-01T10:00Z");
    const due = (now: string) => dueSlot(night, made, at(now), 0)?.id;
    expect(due("2026-11-03T01:59Z")).toBeUndefined();
    expect(due("2026-11-03T02:00Z")).toBe("2026-11-03T02:00:00.000Z");
    expect(due("2026-11-03T04:00Z")).toBeUndefined();
    expect(due("2026-11-09T03:00Z")).toBe("2026-11-03T02:00:00.000Z");
    expect(nextDue(night, made, at("2026-11-03T05:00Z"), 0)).toBe(at("2026-11-04T02:00Z"));
  });
});

test("the slot of a value does not depend on when it is asked for", () => {
  fc.assert(
    fc.property(timing, instant, chance, instant, (rule, made, luck, now) => {
      const due = dueSlot(rule, made, now, luck);
      return due === undefined || due.id === slotOf(rule, made, luck).id;
    }),
  );
});

test("a slot is after the value was made, and no later than its age allows where no window says so", () => {
  fc.assert(
    fc.property(timing, instant, chance, (rule, made, luck) => {
      const { opens } = slotOf(rule, made, luck);
      expect(opens).toBeGreaterThan(made);
      expect(opens).toBeLessThanOrEqual(made + Math.max(rule.maxAge, rule.window === undefined ? 0 : 2 * DAY));
    }),
  );
});

test("what is due next is due then, and not a moment before it", () => {
  fc.assert(
    fc.property(timing, instant, instant, chance, (rule, made, now, luck) => {
      const next = nextDue(rule, made, now, luck);
      expect(next).toBeGreaterThanOrEqual(now);
      expect(dueSlot(rule, made, next, luck)).toBeDefined();
      if (next > now) expect(dueSlot(rule, made, next - 1, luck)).toBeUndefined();
    }),
  );
});

/** Cron that runs at the given times, on a machine whose clock says what it likes: each rotation makes a new value. */
function rotations(rule: Timing, first: number, clock: readonly number[], luck: number): string[] {
  let made = first;
  const done: string[] = [];
  for (const now of clock) {
    const slot = dueSlot(rule, made, now, luck);
    if (slot === undefined) continue;
    done.push(slot.id);
    made = now;
  }
  return done;
}

describe("row 16: clock jumps, daylight saving, missed and doubled runs", () => {
  test("no slot is worked on twice, whatever the clock does", () => {
    fc.assert(
      fc.property(timing, instant, fc.array(instant, { maxLength: 40 }), chance, (rule, first, clock, luck) => {
        const done = rotations(rule, first, clock, luck);
        expect(new Set(done).size).toBe(done.length);
      }),
    );
  });

  test("a clock that goes back rotates nothing again", () => {
    fc.assert(
      fc.property(timing, instant, fc.integer({ min: 0, max: 300 * DAY }), chance, (rule, now, back, luck) => {
        const made = slotOf(rule, now, luck).opens;
        expect(dueSlot(rule, made, made - back, luck)).toBeUndefined();
      }),
    );
  });

  test("missed slots are one, and the next comes an age after it", () => {
    const daily = { maxAge: DAY };
    const first = at("2026-10-01T00:00Z");
    const back = at("2026-11-01T12:00Z");
    const hourly = Array.from({ length: 48 }, (_, hour) => back + hour * HOUR);
    expect(rotations(daily, first, hourly, 0)).toEqual(["2026-10-02T00:00:00.000Z", "2026-11-02T12:00:00.000Z"]);
  });

  test("the hour that daylight saving doubles or skips is like any other", () => {
    const night = { maxAge: DAY, window: { from: 60, until: 120 } };
    // Around the changes of Europe and the United States, every ten minutes.
    for (const change of ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"]) {
      const start = at(`${change}T00:00Z`) - 2 * DAY;
      const clock = Array.from({ length: 4 * 144 }, (_, turn) => start + turn * 10 * MINUTE);
      const done = rotations(night, start - DAY, clock, 0.3);
      expect(done).toHaveLength(4);
    }
  });
});
