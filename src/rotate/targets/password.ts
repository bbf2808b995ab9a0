const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** 238 bits. */
const LENGTH = 40;
/** Bytes from here on are thrown away, so that every letter is as likely as any other. */
const FAIR = 256 - (256 % LETTERS.length);

/**
 * A new password: letters and digits only, and some of each, so that it stands in a URL, a shell and a file of settings
 * as it is, and SASLprep (RFC 4013) leaves it alone.
 * @param random gives `count` unpredictable bytes
 */
export function newPassword(random: (count: number) => Uint8Array): string {
  for (;;) {
    const text = [...random(2 * LENGTH)]
      .filter((byte) => byte < FAIR)
      .slice(0, LENGTH)
      .map((byte) => LETTERS.charAt(byte % LETTERS.length))
      .join("");
    if (text.length === LENGTH && [/[A-Z]/, /[a-z]/, /[0-9]/].every((kind) => kind.test(text))) return text;
  }
}
