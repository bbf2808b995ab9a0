import { lstatSync, readFileSync, readdirSync, readlinkSync } from "node:fs";

/**
 * Sees a client close our stdin without reading from it: the child alone may do that, and Node cannot wait on a
 * descriptor without taking its bytes. Linux tells it in /proc: for a socket by its count of references (a connected one
 * is held by its peer as well), for a pipe by the client's end of it. Elsewhere, and where neither is to be seen, nothing
 * is said, and a signal is the first sign of the end.
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
    const isOpen = openInput(textOf("/proc/self/fd/0"), process.ppid);
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
  if (kind === "pipe") return stillLinked(client, link, true);
  // A pair of sockets is made in one call, so that their numbers are neighbours: while the client holds the other, the
  // table, which is long on a desktop, need not be read.
  const held = stillLinked(client, `socket:[${Number(number) - 1}]`, false);
  const count = references(number);
  // It may have been closed, or half so, before the first look. Then the client's descriptors must be there to be seen,
  // so that nothing is concluded where /proc tells less than it should.
  const told = count === LEFT && namesIn(`/proc/${client}/fd`).length > 0;
  if (count !== CONNECTED && !told) return undefined;
  return () => held?.() === true || references(number) !== LEFT;
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
  try {
    const line = new RegExp(`^\\S+: ([0-9A-F]{8}) [0-9A-F]{8} [0-9A-F]{8} 0001 [0-9A-F]{2} +${socket}\\b`, "m");
    const count = line.exec(readFileSync("/proc/net/unix", "latin1"))?.[1];
    return count === undefined ? undefined : Number.parseInt(count, 16);
  } catch {
    return undefined;
  }
}

/** The permissions of the link are those of the descriptor (proc(5)). */
function canWrite(path: string): boolean {
  const mode = lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o200) !== 0;
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
