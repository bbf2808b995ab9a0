/** A line of the result: what was measured, what came out, and where the issue sets a goal, whether it is met. */
export interface Row {
  readonly what: string;
  readonly result: string;
  readonly goal?: string;
  readonly met?: boolean;
}

export function markdown(rows: readonly Row[]): string {
  const lines = rows.map(({ what, result, goal, met }) => {
    const verdict = met === undefined ? "" : met ? "yes" : "**no**";
    return `| ${what} | ${result} | ${goal ?? ""} | ${verdict} |`;
  });
  return ["| what | result | goal | met |", "| --- | --- | --- | --- |", ...lines].join("\n");
}

/** 12.345 → `12.3`. */
export function round(value: number, digits = 1): string {
  return value.toFixed(digits);
}
