import { Socket } from "node:net";

/** When a connection is given up. */
export interface Limits {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/** A socket, not yet connected, that is destroyed when the time is over, when the signal comes, and after `run`. */
export async function withSocket<T>({ timeout, signal }: Limits, run: (socket: Socket) => Promise<T>): Promise<T> {
  const late = AbortSignal.timeout(Math.max(1, timeout));
  const ends = signal === undefined ? late : AbortSignal.any([late, signal]);
  if (timeout <= 0 || ends.aborted) throw new Error("no time is left");
  const socket = new Socket();
  // Whoever uses it is told by its own listeners; before and after that, nobody is.
  socket.on("error", () => undefined);
  const giveUp = () => socket.destroy(new Error("no answer in time"));
  ends.addEventListener("abort", giveUp);
  try {
    return await run(socket);
  } finally {
    ends.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}

/** Says farewell; a server that is gone never answers it. */
export async function endInTime(end: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE)));
  await Promise.race([end().catch(() => undefined), patience]);
  clearTimeout(timer);
}

/** Milliseconds. */
const PATIENCE = 1000;
