/**
 * When a secret is due. Pure, and all of it in UTC: a time of the day has no daylight saving, and two hosts compute the
 * same slot from what both of them read in the store.
 *
 * A slot is the time from which a value that was made at a given instant is to be replaced. It has a name, which the
 * journal keeps: of two runs for one slot, on one host or on two, the second finds it taken. A slot that was missed
 * stays due until a run comes, and however many were missed, they are one; the rotation makes a new value, and with it
 * the next slot. A clock that jumps ahead brings one rotation too early; one that jumps back finds a value from the
 * future, which is not due, and which `status` and `doctor` tell of.
 */

/** A part of each day, in minutes after midnight UTC: from `from`, up to and without `until`, which may be the next day. */
export interface Window {
  readonly from: number;
  readonly until: number;
}

export interface Timing {
  /** Milliseconds. */
  readonly maxAge: number;
  readonly window?: Window;
}

/** Milliseconds since the epoch. */
export interface Slot {
  /** `2026-11-25T02:00:00.000Z`: unique for one secret. */
  readonly id: string;
  readonly opens: number;
}

const MINUTE = 60_000;
const DAY = 86_400_000;
/** So that the secrets of one day do not all come in one minute: a tenth of the age, an hour at most, half of a window. */
const MOST_JITTER = 3_600_000;

/** `02:00-04:00`; undefined for anything else. */
export function parseWindow(text: string): Window | undefined {
  const [, from, until] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  const [a, b] = [minutesOf(from), minutesOf(until)];
  return a === undefined || b === undefined || a === b ? undefined : { from: a, until: b };
}

/**
 * The slot of a value that was made at `madeAt`.
 * @param chance in [0, 1), the same for the same secret everywhere
 */
export function slotOf({ maxAge, window }: Timing, madeAt: number, chance: number): Slot {
  if (window === undefined) {
    const opens = madeAt + maxAge - Math.floor(Math.min(maxAge / 10, MOST_JITTER) * chance);
    return { id: new Date(opens).toISOString(), opens };
  }
  const length = lengthOf(window);
  const late = Math.floor(Math.min(length / 2, MOST_JITTER) * chance);
  // The last window that opens while the value is young enough, but one that opens after it was made.
  const last = windowBefore(window, madeAt + maxAge - late);
  const start = last > madeAt ? last : windowBefore(window, madeAt) + DAY;
  return { id: new Date(start).toISOString(), opens: start + late };
}

/** The slot, where `now` is in it: open, and within a window where there is one. */
export function dueSlot(timing: Timing, madeAt: number, now: number, chance: number): Slot | undefined {
  const slot = slotOf(timing, madeAt, chance);
  return now >= slot.opens && isOpen(timing.window, now) ? slot : undefined;
}

/** The earliest time from `now` on at which the slot of the value is to be worked on. */
export function nextDue(timing: Timing, madeAt: number, now: number, chance: number): number {
  const { opens } = slotOf(timing, madeAt, chance);
  const { window } = timing;
  const from = Math.max(opens, now);
  if (isOpen(window, from) || window === undefined) return from;
  return windowBefore(window, from) + DAY;
}

function isOpen(window: Window | undefined, at: number): boolean {
  return window === undefined || at - windowBefore(window, at) < lengthOf(window);
}

/** When the window opened that is the last one to open at `at` or before. */
function windowBefore({ from }: Window, at: number): number {
  return Math.floor((at - from * MINUTE) / DAY) * DAY + from * MINUTE;
}

function lengthOf({ from, until }: Window): number {
  return ((until - from + 1440) % 1440) * MINUTE;
}

function minutesOf(text: string | undefined): number | undefined {
  const [, hours = "", minutes = ""] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text ?? "") ?? [];
  return hours === "" ? undefined : Number(hours) * 60 + Number(minutes);
}
