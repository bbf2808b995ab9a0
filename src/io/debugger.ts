/**
 * SIGUSR1 makes Node open its debugger, to whoever may connect (node(1), "Signal events"). From now on it does nothing,
 * and what it opened before our first line is closed. Node looks at a signal between two pieces of work, so that this is
 * called once more before the first secret is read.
 */
export function keepDebuggerClosed(): void {
  if (process.listenerCount("SIGUSR1") === 0) process.on("SIGUSR1", ignore);
  // What inspector.close() does, without loading that module; Node has it for its own debugger.
  const close: unknown = Reflect.get(process, "_debugEnd");
  if (typeof close === "function") Reflect.apply(close, process, []);
}

function ignore(): void {}
