/** Who holds a lock or a claim: enough to tell whether that very process still runs, and not a later one with its number. */
export interface Owner {
  readonly pid: number;
  readonly host: string;
  /** The boot, the process namespace and the start of the process there; empty where the system does not tell. */
  readonly boot: string;
  readonly namespace: string;
  readonly started: string;
  /** When it was taken, in milliseconds since the epoch. */
  readonly since: number;
}

/** `unknown`: on another host or in another container, where nobody here can tell. */
export type OwnerState = "alive" | "dead" | "unknown";
