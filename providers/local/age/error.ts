/**
 * Why an age file, key or recipient was refused. `no-match` means that the file is well formed as far as could be
 * seen, but that none of the identities opens it.
 */
export class AgeError extends Error {
  override readonly name = "AgeError";
  readonly reason: "malformed" | "no-match";

  constructor(reason: "malformed" | "no-match", message: string) {
    super(message);
    this.reason = reason;
  }
}

export function malformed(message: string): AgeError {
  return new AgeError("malformed", message);
}
