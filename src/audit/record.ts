/**
 * One line of the audit log. Values of secrets have no place in it. `v` is the version of the shape; a chain adds `seq`,
 * `prev` and `hash` to the same object.
 */
export interface AuditRecord {
  readonly v: 1;
  /** ISO 8601, UTC, milliseconds. */
  readonly ts: string;
  readonly event: AuditEvent;
  readonly outcome: "ok" | "denied" | "failed";
  readonly actor: Actor;
  /** `CLIENT/SERVER`. */
  readonly entry?: string;
  /** The id of the `run`. */
  readonly launch?: string;
  /** References, never values. */
  readonly refs?: readonly string[];
  /** Of `moved`: where the secrets of `refs` were before, in the same order. */
  readonly from?: readonly string[];
  readonly config?: string;
  /** The error code of a `denied` or `failed` outcome. */
  readonly code?: string;
  /** How a child ended: its exit code, or the name of the signal. */
  readonly ended?: number | string;
}

export type AuditEvent =
  | "stored"
  | "removed"
  | "shown"
  | "resolved"
  | "approved"
  | "withdrawn"
  | "launched"
  | "ended"
  | "ending"
  | "revoked"
  /** Somebody asked for what is a launch's alone. */
  | "intruded"
  /** The store did not answer, and a copy was used. */
  | "stale"
  | "migrated"
  | "moved"
  | "restored"
  | "rotated"
  | "rolled-back"
  /** Nothing more happens by itself, until a person has looked. */
  | "stuck"
  /** A person has looked. */
  | "settled"
  /** The old value is dead: we ended it, or a person says so. */
  | "retired";

/** Who did it: the process, its user and the program that started it. */
export interface Actor {
  readonly uid: number;
  readonly pid: number;
  readonly ppid: number;
  /** The executable of the parent process, where the system tells it. */
  readonly parent?: string;
  readonly host: string;
}

/** One bounded line: control characters are escaped by JSON, so that no text can forge a second one. */
export function formatRecord(record: AuditRecord): string {
  const line = JSON.stringify(record).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
  return `${line}\n`;
}
