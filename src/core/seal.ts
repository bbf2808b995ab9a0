/** Encrypts what is kept on disk so that a stock `age -d -i HOME/local/identity` opens it. */
export interface Seal {
  /** @throws UserError store-unavailable where there is no key and none can be made */
  close(bytes: Buffer): Promise<Buffer>;
  /** @throws UserError store-unavailable or store-locked for want of the key, not-restorable for damaged bytes */
  open(sealed: Buffer): Buffer;
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
