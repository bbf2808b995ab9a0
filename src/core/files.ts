/** What a path led to when it was looked at. `mtimeNs`, `ino` and `dev` are exact, so that a change is seen. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** How many names it has. */
  readonly links: number;
  readonly kind: "file" | "directory" | "link" | "other";
}

/**
 * The file operations of the product. Every method throws Node's own system errors (`ENOENT`, …) unless it says
 * otherwise. "Private" means mode 0600, folders 0700. "Durable" means that the bytes and the name were fsynced.
 */
export interface Files {
  read(path: string): Buffer;
  /** undefined where nothing is there. */
  readIfExists(path: string): Buffer | undefined;
  /** What the path itself is, links not followed; undefined where nothing is there. */
  look(path: string): FileIdentity | undefined;
  /** What the path leads to, links followed. */
  identify(path: string): FileIdentity;
  /** The path with every link in it followed. */
  realpath(path: string): string;
  /** Names in a folder, sorted; none where the folder does not exist. */
  list(path: string): string[];
  /** Makes the folder and its missing parents, private. */
  makePrivateDir(path: string): void;
  /** Takes the rights of all but the owner away from what the path leads to. */
  makePrivate(path: string): void;
  /** Replaces or creates a private file: all old bytes or all new bytes, durable. */
  writePrivate(path: string, data: Buffer | string): Promise<void>;
  /** As `writePrivate`, and the owner may run it. */
  writeProgram(path: string, data: Buffer | string): Promise<void>;
  /** Replaces or creates a private program with the bytes of another file: all or nothing, durable. */
  copyProgram(from: string, to: string): Promise<void>;
  /** Another name for the same file, durable; false, and nothing changed, where the system does not give it one. */
  link(from: string, to: string): Promise<boolean>;
  /** Creates a private file, durable; false, and nothing changed, where the name is taken. */
  createPrivate(path: string, data: Buffer | string): Promise<boolean>;
  /** Creates or replaces a private file at once, all or nothing, but not durable: for state that dies with the boot. */
  writeVolatile(path: string, data: Buffer | string): void;
  /** Appends to a private file in one write; ELOOP where it is a link. */
  append(path: string, data: string): void;
  /** Renames, durable. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; no error where nothing is there. */
  remove(path: string): void;
  /** The temporary files that killed writes of ours left in a folder, by path. */
  leftovers(folder: string): string[];
  /** Removes the temporary files that killed writes of ours left in a folder. Nobody else of ours may be writing there. */
  sweep(folder: string): void;
  /** Removes a folder where it is empty; no error otherwise. */
  removeEmptyDir(path: string): void;
  /**
   * Throws what `replace` with so many bytes would, as far as that can be known without a write: a folder that is not
   * ours to write, a file there that only its owner may replace, no room.
   */
  checkReplace(path: string, size: number): void;
  /**
   * Replaces the bytes of somebody else's file: same folder, random temporary name, mode and owner kept, durable, links
   * in the path followed. Nothing is done where the file does not hold `expected`, looked at once more just before the
   * rename.
   */
  replace(path: string, data: Buffer, expected: Buffer): Promise<Replaced>;
}

/** How a `replace` ended. `lost` is what another writer put into the old file in the moment of the rename. */
export type Replaced = { readonly done: false } | { readonly done: true; readonly lost?: Buffer };
