import { Socket } from "node:net";
import { type Limits, withLimits } from "./limits.ts";

/** A socket, not yet connected, that is destroyed when the time is over, when the signal comes, and after `run`. */
export async function withSocket<T>(limits: Limits, run: (socket: Socket) => Promise<T>): Promise<T> {
  const socket = new Socket();
  // Whoever uses it is told by its own listeners; before and after that, nobody is.
  socket.on("error", () => undefined);
  try {
    return await withLimits(
      limits,
      () => socket.destroy(),
      () => run(socket),
    );
  } finally {
    socket.destroy();
  }
}
