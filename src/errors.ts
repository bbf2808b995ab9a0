/**
 * Errors that a user can act on, and the exit codes they end in. Anything else that is thrown is a bug and keeps its
 * stack.
 */

/**
 * Exit codes, after sysexits(3) and the shell's 126 and 127.
 *
 * A bug is no finding, so it must not end with the 1 that Node gives it. sysexits has 70 (EX_SOFTWARE) for it, but here
 * 70 means that a rotation is stuck, upon which automation stops and calls a human for that secret: a bug in, say, `list`
 * must not be taken for that. 71 (EX_OSERR, "a system error") is the nearest that is free.
 */
export const EXIT = {
  ok: 0,
  findings: 1,
  usage: 64,
  data: 65,
  unavailable: 69,
  stuck: 70,
  bug: 71,
  cannotWrite: 73,
  tryLater: 75,
  refused: 77,
  notApproved: 78,
  cannotExecute: 126,
  notFound: 127,
} as const;

/** What a script may branch on: stable, one word of the field per cause. */
export type ErrorCode =
  | "usage"
  | "config-invalid"
  | "config-unreadable"
  | "config-changed"
  | "config-unsupported"
  | "reference-invalid"
  | "secret-not-found"
  | "secret-exists"
  | "secret-corrupt"
  | "secret-deleted"
  | "store-unknown"
  | "store-unavailable"
  | "store-locked"
  | "store-timeout"
  | "store-sealed"
  | "store-busy"
  | "store-answer"
  | "store-untrusted"
  | "store-denied"
  | "store-login"
  | "store-incident"
  | "store-key"
  | "cannot-write"
  | "not-approved"
  | "unsafe-environment"
  | "refused"
  | "locked"
  | "not-restorable"
  | "some-failed"
  /** The system in which a secret is rotated: not reached, said no, or its answer never came. */
  | "target-unreachable"
  | "target-refused"
  | "target-lost"
  | "rotation-stuck"
  | "cannot-execute"
  | "command-not-found"
  | "bug";

const exitOf: Record<ErrorCode, number> = {
  usage: EXIT.usage,
  "config-invalid": EXIT.data,
  "config-unreadable": EXIT.data,
  "config-changed": EXIT.tryLater,
  "config-unsupported": EXIT.data,
  "reference-invalid": EXIT.data,
  "secret-not-found": EXIT.unavailable,
  "secret-exists": EXIT.tryLater,
  "secret-corrupt": EXIT.unavailable,
  "secret-deleted": EXIT.unavailable,
  "store-unknown": EXIT.data,
  "store-unavailable": EXIT.unavailable,
  "store-locked": EXIT.unavailable,
  "store-timeout": EXIT.unavailable,
  "store-sealed": EXIT.unavailable,
  "store-busy": EXIT.tryLater,
  "store-answer": EXIT.unavailable,
  "store-untrusted": EXIT.refused,
  "store-denied": EXIT.refused,
  "store-login": EXIT.refused,
  "store-incident": EXIT.refused,
  "store-key": EXIT.unavailable,
  "cannot-write": EXIT.cannotWrite,
  "not-approved": EXIT.notApproved,
  "unsafe-environment": EXIT.notApproved,
  refused: EXIT.refused,
  locked: EXIT.tryLater,
  "not-restorable": EXIT.unavailable,
  "some-failed": EXIT.findings,
  "target-unreachable": EXIT.tryLater,
  "target-refused": EXIT.refused,
  "target-lost": EXIT.tryLater,
  "rotation-stuck": EXIT.stuck,
  "cannot-execute": EXIT.cannotExecute,
  "command-not-found": EXIT.notFound,
  bug: EXIT.bug,
};

const BRAND: unique symbol = Symbol.for("mcp-secrets/UserError");

/**
 * Something the user can mend. `message` tells what happened and to which entry and reference, `hint` is the exact next
 * command; both in lower case, without a full stop, and never with a value of a secret.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly [BRAND] = true;
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  get exit(): number {
    return exitOf[this.code];
  }

  /** The built program has several chunks, each with a copy of this class: an error of one is an error of all. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}

/** The `code` of a Node system error (`ENOENT`, …), or undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
