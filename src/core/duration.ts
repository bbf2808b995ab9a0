/** Lengths of time as people write them: `90s`, `10m`, `24h`, `30d`. */

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A hundred years: a sum with it is still a date. */
const MOST = 36_525 * 86_400_000;

/** Milliseconds; undefined where the text is no length of time above zero. */
export function parseDuration(text: string): number | undefined {
  const [, count = "", unit = ""] = /^([1-9]\d{0,9})([smhd])$/.exec(text) ?? [];
  const length = Number(count) * (UNITS[unit] ?? 0);
  return length > 0 && length <= MOST ? length : undefined;
}

/** In the largest whole unit: `3 d`. Nothing is shorter than `0 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const units: readonly (readonly [number, string])[] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ];
  const [length, unit] = units.find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / length)} ${unit}`;
}
