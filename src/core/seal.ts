import type { UserError } from "../errors.ts";

/** Encrypts what is kept on disk so that a stock `age -d -i HOME/local/identity` opens it. */
export interface Seal {
  /** @throws UserError store-unavailable where there is no key and none can be made */
  close(bytes: Buffer): Promise<Buffer>;
  /** @throws UserError store-unavailable or store-locked for want of the key, not-restorable for damaged bytes */
  open(sealed: Buffer): Buffer;
}

/** True where only the key is missing: nothing is known to be wrong with what was sealed. */
export function wantsKey({ code }: UserError): boolean {
  return code === "store-locked" || code === "store-unavailable";
}

/** Brings what was written before `local/recipients` was changed to those who are to read it now. */
export interface Resealer {
  /** False before there is a key: nothing was written then. */
  isInUse(): boolean;
  /** True where everything was written for just the recipients of now, as far as was noted. */
  isNoted(): Promise<boolean>;
  /** Says which bytes of ours have to be written again. */
  staleness(): Promise<(sealed: Buffer) => boolean>;
  /** How many files of secrets there are of that kind. */
  staleSecrets(): Promise<number>;
  /** Writes them again; false where one cannot be opened, and stays. @throws UserError cannot-write, store-unavailable */
  resealSecrets(): Promise<boolean>;
  /** Notes for whom everything is written. */
  note(): Promise<void>;
}
