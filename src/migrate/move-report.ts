import { formatRef } from "../core/ref.ts";
import { formatTable } from "../core/table.ts";
import { secretOf } from "./move.ts";
import type { PlannedMove } from "./plan.ts";

/** What is planned for the references of one config, as a table. */
export function moveTable(moves: readonly PlannedMove[]): string {
  return formatTable(
    ["SERVER", "REFERENCE", "MOVES TO"],
    moves.map(({ server, from, to, left }) => {
      return [server, formatRef(from), to === undefined ? `stays: ${left ?? ""}` : formatRef(to)];
    }),
  );
}

export function moveJson(client: string, { server, pointer, start, end, from, to, left }: PlannedMove) {
  return {
    entry: `${client}/${server}`,
    pointer,
    start,
    end,
    from: formatRef(from),
    ...(to !== undefined && { reference: formatRef(to) }),
    ...(left !== undefined && { left }),
  };
}

/** How many secrets move. */
export function movedCount(moves: readonly PlannedMove[] = []): number {
  return new Set(moves.filter(({ to }) => to !== undefined).map(({ from }) => secretOf(from))).size;
}
