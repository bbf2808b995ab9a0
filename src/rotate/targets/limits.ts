/** When a question is given up. */
export interface Limits {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

/** Runs `run`; fails, and calls `giveUp`, when the time is over or the signal comes. */
export async function withLimits<T>(
  { timeout, signal }: Limits,
  giveUp: () => void,
  run: () => Promise<T>,
): Promise<T> {
  if (timeout <= 0 || signal?.aborted === true) throw new Error("no time is left");
  let stop = () => {};
  const over = new Promise<never>((_, reject) => {
    stop = () => {
      reject(new Error("no answer in time"));
      giveUp();
    };
  });
  const timer = setTimeout(stop, Math.min(timeout, LONGEST));
  signal?.addEventListener("abort", stop);
  try {
    return await Promise.race([run(), over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Milliseconds: what a timer can wait for; more would be none. */
const LONGEST = 2 ** 31 - 1;

/** Says farewell; a server that is gone never answers it. */
export async function endInTime(end: () => Promise<unknown>): Promise<void> {
  await withLimits({ timeout: PATIENCE }, () => undefined, end).catch(() => undefined);
}

/** Milliseconds. */
const PATIENCE = 1000;
