import { readFileSync, readdirSync } from "node:fs";

/** What other users can see of a process: Linux only. */
export interface Seen {
  readonly pid: number;
  readonly ppid: number;
  readonly words: string;
}

/** Every process that is `root` or descends from it, right now. */
export function treeOf(root: number): Seen[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => look(Number(name)) ?? []);
  const tree = all.filter(({ pid }) => pid === root);
  for (const process of tree) tree.push(...all.filter(({ ppid }) => ppid === process.pid));
  return tree;
}

/** Looks at the tree under `root` again and again until stopped, and returns every command line that was seen. */
export function watchTree(root: number): { stop(): readonly string[] } {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const { words } of treeOf(root)) seen.add(words);
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      return [...seen];
    },
  };
}

function look(pid: number): Seen | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const ppid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    return { pid, ppid, words: readFileSync(`/proc/${pid}/cmdline`, "utf8") };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}
