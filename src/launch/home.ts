import { join } from "node:path";
import type { FileIdentity, Files } from "../core/files.ts";
import { shellWord } from "../core/shell.ts";
import { UserError, systemCode } from "../errors.ts";

/** What looking at the home folder needs of the Context. */
export interface HomePlace {
  readonly files: Files;
  readonly home: string;
  /** -1 where the system has no such numbers. */
  readonly uid: number;
}

/** What makes a folder of ours unfit: the words for it, and the command that mends it. */
export interface UnsafeFolder {
  readonly path: string;
  readonly detail: string;
  readonly hint: string;
}

/** What is believed without a further look: approvals and their key, the identity, the program that configs start. */
const FOLDERS = [".", "local", "bin"] as const;
const OTHERS_MAY_WRITE = 0o022;
const OTHERS = 0o077;

/**
 * Refuses a home in which another user may put an identity, an approval or a program of their own, or which leads
 * elsewhere. A look at three folders and at the kind of each part, about 60 µs.
 * @throws UserError unsafe-environment
 */
export function checkHome(place: HomePlace): void {
  const [unsafe] = unsafeFolders(place);
  if (unsafe === undefined) return;
  throw new UserError("unsafe-environment", `${unsafe.path} is not safe to use: ${unsafe.detail}`, {
    hint: unsafe.hint,
  });
}

/**
 * The folders that another user owns or may write to; links are followed, so that what they lead to is judged.
 *
 * Root is no exception (think of `sudo` with the HOME of the caller): what root writes there its owner could no longer
 * read, which breaks every launch, and whoever owns the folder would decide what root starts and with which key.
 */
export function unsafeFolders({ files, home, uid }: HomePlace): UnsafeFolder[] {
  if (uid < 0) return [];
  const folders = FOLDERS.flatMap((name) => {
    const path = join(home, name);
    const found = identify(files, path);
    const wrong = found === undefined ? undefined : judge(found, path, uid);
    return wrong === undefined ? [] : [{ path, ...wrong }];
  });
  const known = new Set(folders.map(({ path }) => path));
  return [...folders, ...openLinks({ files, home, uid }).filter(({ path }) => !known.has(path))];
}

/**
 * Parts of the home that lead to a folder which was not made for it: whatever we write would lie there among other
 * things. A part may be kept on another disk, in a folder that is private.
 */
function openLinks({ files, home, uid }: HomePlace): UnsafeFolder[] {
  return namesIn(files, home).flatMap((name) => {
    const path = join(home, name);
    if (files.look(path)?.kind !== "link") return [];
    const found = identify(files, path);
    if (found?.kind !== "directory" || (found.uid === uid && (found.mode & OTHERS) === 0)) return [];
    const detail = `it is a link to ${files.realpath(path)}, which is not private`;
    return [
      { path, detail, hint: `rm ${shellWord(path)} takes the link away; a folder that it leads to has mode 0700` },
    ];
  });
}

function namesIn(files: Files, folder: string): readonly string[] {
  try {
    return files.list(folder);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}

function judge(found: FileIdentity, path: string, uid: number): Omit<UnsafeFolder, "path"> | undefined {
  if (found.uid !== uid) {
    const detail = `it belongs to another user (uid ${found.uid}, not ${uid})`;
    if (uid !== 0) return { detail, hint: `sudo chown -R ${uid} ${shellWord(path)}` };
    return { detail, hint: "run the command as that user, without sudo, or with root's own home: sudo -H" };
  }
  if ((found.mode & OTHERS_MAY_WRITE) === 0) return undefined;
  return { detail: "other users may write to it", hint: `chmod 700 ${shellWord(path)}` };
}

function identify(files: Files, path: string): FileIdentity | undefined {
  try {
    return files.identify(path);
  } catch (error) {
    // What cannot be looked at fails where it is used, with better words.
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
