import { readFileSync } from "node:fs";

/**
 * A core file of ours would hold the secrets of the launch, and the key of the store. Where the system writes them
 * (proc(5), /proc/self/limits), this process and its children get a limit of one byte before anything is read, which
 * also stops a pipe to a crash reporter (core(5)). Where they are off, as they mostly are, nothing is started for it.
 */
export async function turnCoresOff(): Promise<void> {
  if (process.platform !== "linux" || !coresAreOn()) return;
  const { limitCores } = await import("./end.ts");
  limitCores();
}

function coresAreOn(): boolean {
  try {
    const limits = readFileSync("/proc/self/limits", "latin1");
    const soft = /^Max core file size\s+(\S+)/m.exec(limits)?.[1];
    return soft !== undefined && soft !== "0" && soft !== "1";
  } catch {
    return false;
  }
}
