const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Does `work` to its end: a signal that would end this process meanwhile does so afterwards. `told` is called at the
 * first one.
 */
export async function undisturbed<T>(work: () => Promise<T>, told: () => void): Promise<T> {
  let heard: NodeJS.Signals | undefined;
  const hear = (signal: NodeJS.Signals) => {
    if (heard === undefined) told();
    heard ??= signal;
  };
  for (const signal of ENDING) process.on(signal, hear);
  try {
    return await work();
  } finally {
    for (const signal of ENDING) process.off(signal, hear);
    if (heard !== undefined) process.kill(process.pid, heard);
  }
}
