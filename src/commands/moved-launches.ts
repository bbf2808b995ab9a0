import type { Context } from "../context.ts";
import { formatRef, parseRef } from "../core/ref.ts";
import type { LaunchRecord } from "../launch/registry.ts";
import { Journal } from "../migrate/journal.ts";
import { secretOf } from "../migrate/move.ts";

/**
 * Launches that run, with what they hold under the places where it lies by now: a server that was started before its
 * secret went to another store has the value all the same. Of which version it is there, nobody noted.
 */
export function followMoves(
  { files, home }: Pick<Context, "files" | "home">,
  launches: readonly LaunchRecord[],
): readonly LaunchRecord[] {
  if (launches.length === 0) return launches;
  const moves = new Journal(files, home).read().migrations.flatMap(({ moves: made = [] }) => made);
  if (moves.length === 0) return launches;
  return launches.map((launch) => {
    const more = launch.refs.flatMap(({ ref }) => placesAfter(ref, moves));
    return { ...launch, refs: [...launch.refs, ...more.map((ref) => ({ ref }))] };
  });
}

/** In the order in which secrets moved: over several stores, and back. */
function placesAfter(text: string, moves: readonly (readonly [from: string, to: string])[]): string[] {
  const { field, ...whole } = parseRef(text);
  const places = new Set([secretOf(whole)]);
  for (const [from, to] of moves) if (places.has(from)) places.add(to);
  places.delete(secretOf(whole));
  return [...places].map((place) => formatRef({ ...parseRef(place), ...(field !== undefined && { field }) }));
}
