/** Encrypts what is kept on disk so that a stock `age -d -i HOME/local/identity` opens it. */
export interface Seal {
  /** @throws UserError store-unavailable where there is no key and none can be made */
  close(bytes: Buffer): Promise<Buffer>;
  /** @throws UserError store-unavailable or store-locked for want of the key, not-restorable for damaged bytes */
  open(sealed: Buffer): Buffer;
}
