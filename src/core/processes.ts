/** What a child is started with. Its stdin, stdout and stderr are ours. */
export interface ChildSpec {
  /** The program, absolute or as the system shall take it: no search is done. */
  readonly file: string;
  /** The child's `argv[0]`. */
  readonly argv0: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** True to make it the leader of a session and process group of its own. */
  readonly group: boolean;
  /** Windows: hand the arguments over as one line without quoting them again. */
  readonly verbatim?: boolean;
}

/** How a process ended: one of the two is set. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly ended: Promise<Ending>;
}

/** The process that stands by in case the launcher is killed. */
export interface Watcher {
  /** What to end when this process is gone: `123` for a process, `-123` for a group. */
  guard(target: number): void;
  /** Nothing is left to do: it goes away. */
  dismiss(): void;
}

/** What the launcher does with processes. */
export interface Processes {
  /** True where any of stdin, stdout and stderr is a terminal. */
  hasTerminal(): boolean;
  /** @throws the system's error (`ENOENT`, `E2BIG`, …) where the program cannot be started */
  spawn(spec: ChildSpec): Promise<Child>;
  /** The names of our stdin and stdout, where they are pipes or sockets that only our children share; else `-`. */
  streams(): readonly string[];
  /**
   * Starts a shell in a session of its own that runs `script`, with `words` as its arguments, and holds none of our
   * stdio. Its stdin ends when we do.
   */
  watch(script: string, words?: readonly string[]): Watcher;
  /**
   * Runs `script` in a shell in a session of its own that has none of our stdio and nothing of our environment, and waits
   * for its end; what it leaves in the background goes on. Where there is no shell, nothing happens.
   */
  detach(script: string): Promise<void>;
  /** Sends a signal to a process, or with a negative number to a group; false where nobody is there. 0 only asks. */
  signal(target: number, name: NodeJS.Signals | 0): boolean;
  /** Calls `heard` for every arrival of one of `names`, instead of what the system would do. */
  onSignals(names: readonly NodeJS.Signals[], heard: (name: NodeJS.Signals) => void): void;
  /** Calls `ended` once when the client has closed our stdin, where the system lets us see it. */
  onInputEnd(ended: () => void): void;
  /** Runs a program with no input; true where it exits 0. */
  succeeds(file: string, args: readonly string[]): boolean;
  /** Calls `act` after `ms`. The timer alone keeps nobody alive. */
  after(ms: number, act: () => void): void;
}

/** A file that is to be run, as the system knows it; it may be run by us. */
export interface ProgramFile {
  readonly regular: boolean;
  /** Its first bytes. */
  readonly head: Buffer;
}

/** What the launcher asks of programs before it starts one. */
export interface Programs {
  /** A program, something that cannot be run, or nothing. */
  probe(path: string): "program" | "other" | undefined;
  /** undefined where it cannot be run or read. */
  inspect(path: string): ProgramFile | undefined;
  /**
   * Puts the program in the place of this process, where the runtime can (`process.execve`, Node >= 22.15). Does not
   * return; a call that fails may end the process in an abort, so that `canReplace` comes first.
   */
  readonly replace?: (spec: ChildSpec) => void;
}
