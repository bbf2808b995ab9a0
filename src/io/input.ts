import { lstatSync, readFileSync, readdirSync, readlinkSync } from "node:fs";

/**
 * Sees a client close our stdin without reading from it: the child alone may do that, and Node cannot wait on a
 * descriptor without taking its bytes. Linux tells it in /proc: for a socket by its count of references (a connected one
 * is held by its peer as well), for a pipe by the descriptors that write to it. Elsewhere, and where neither is to be
 * seen, nothing is said, and a signal is the first sign of the end.
 */

/** The first look is late enough not to slow down the start, in milliseconds. */
const FIRST_LOOK = 20;
const LOOK_EVERY = 500;
/** Of a connected unix socket: its owner, the table of sockets, its peer (net/unix/af_unix.c). */
const CONNECTED = 3;
const LEFT = 2;

/** Calls `ended` once, when the client has closed stdin. Keeps nobody alive. */
export function watchInput(ended: () => void): void {
  setTimeout(() => {
    const link = textOf("/proc/self/fd/0");
    const isOpen = openInput(link, clientOf(link));
    if (isOpen === undefined) return;
    const timer = setInterval(() => {
      if (isOpen()) return;
      clearInterval(timer);
      ended();
    }, LOOK_EVERY).unref();
  }, FIRST_LOOK).unref();
}

/** A question that is true as long as the other end of `link` (`socket:[7]`, `pipe:[7]`) is open. */
function openInput(link: string, client: number): (() => boolean) | undefined {
  const [, kind, number] = /^(socket|pipe):\[(\d+)\]$/.exec(link) ?? [];
  if (number === undefined) return undefined;
  if (kind === "pipe") return openPipe(link, client);
  // A pair of sockets is made in one call, so that their numbers are neighbours: while the client holds the other, the
  // table, which is long on a desktop, need not be read.
  const held = stillLinked(client, `socket:[${Number(number) - 1}]`, false);
  const count = references(number);
  // It may have been closed, or half so, before the first look.
  if (count !== CONNECTED && !(count === LEFT && isVisible(client))) return undefined;
  return () => held?.() === true || references(number) !== LEFT;
}

/** The client holds the other end, or (in a pipeline of a shell) some other process does. */
function openPipe(link: string, client: number): (() => boolean) | undefined {
  let held = stillLinked(client, link, true) ?? heldByAny(link);
  if (held === undefined && ![client, ...childrenOf(client)].every(isVisible)) return undefined;
  return () => {
    if (held?.() !== true) held = heldByAny(link);
    return held !== undefined;
  };
}

function heldByAny(link: string): (() => boolean) | undefined {
  for (const pid of namesIn("/proc").filter((name) => /^\d+$/.test(name))) {
    const held = stillLinked(Number(pid), link, true);
    if (held !== undefined) return held;
  }
  return undefined;
}

/** Who made our stdin: the first process above us that does not have it as its own. Those between handed it down. */
function clientOf(link: string): number {
  let pid = process.ppid;
  while (pid > 1 && textOf(`/proc/${pid}/fd/0`) === link) pid = parentOf(pid);
  return pid;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(contentOf(`/proc/${pid}/status`))?.[1] ?? 0);
}

function childrenOf(pid: number): number[] {
  return contentOf(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

/**
 * Nothing is concluded where a process does not let us look, as one of another user (`sudo x | y`) or beyond a
 * container. One that has ended holds nothing.
 */
function isVisible(pid: number): boolean {
  return namesIn(`/proc/${pid}/fd`).length > 0 || /^State:\s+[ZX]/m.test(contentOf(`/proc/${pid}/status`));
}

/** True as long as a descriptor of `pid` leads to `link`; undefined where none does now. */
function stillLinked(pid: number, link: string, writable: boolean): (() => boolean) | undefined {
  const folder = `/proc/${pid}/fd`;
  const fd = namesIn(folder).find((name) => {
    const path = `${folder}/${name}`;
    return textOf(path) === link && (!writable || canWrite(path));
  });
  return fd === undefined ? undefined : () => textOf(`${folder}/${fd}`) === link;
}

/** The count of references to a unix socket; undefined where it is none or cannot be seen. */
function references(socket: string): number | undefined {
  const line = new RegExp(`^\\S+: ([0-9A-F]{8}) [0-9A-F]{8} [0-9A-F]{8} 0001 [0-9A-F]{2} +${socket}\\b`, "m");
  const count = line.exec(contentOf("/proc/net/unix"))?.[1];
  return count === undefined ? undefined : Number.parseInt(count, 16);
}

/** The permissions of the link are those of the descriptor (proc(5)). */
function canWrite(path: string): boolean {
  const mode = lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o200) !== 0;
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}
