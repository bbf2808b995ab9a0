/** Bech32 as age uses it: BIP 173 without its limit of 90 characters. */

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_LENGTH = 6;

/** The lower-case text of `bytes` under a lower-case prefix. */
export function encodeBech32(prefix: string, bytes: Uint8Array): string {
  const words = regroup(bytes, { from: 8, to: 5, pad: true }) ?? [];
  const residue = polymod([...expand(prefix), ...words, 0, 0, 0, 0, 0, 0]) ^ 1;
  const checksum = Array.from({ length: CHECKSUM_LENGTH }, (_, index) => (residue >>> (5 * (5 - index))) & 31);
  return `${prefix}1${[...words, ...checksum].map((word) => ALPHABET.charAt(word)).join("")}`;
}

/** What `text` encodes, or undefined where it is no Bech32: mixed case, a wrong checksum, bits left over. */
export function decodeBech32(text: string): { readonly prefix: string; readonly bytes: Buffer } | undefined {
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return undefined;
  const mark = lower.lastIndexOf("1");
  const prefix = lower.slice(0, mark);
  if (mark < 1 || !/^[\x21-\x7e]+$/.test(prefix)) return undefined;
  const words = Array.from(lower.slice(mark + 1), (character) => ALPHABET.indexOf(character));
  if (words.length < CHECKSUM_LENGTH || words.includes(-1)) return undefined;
  if (polymod([...expand(prefix), ...words]) !== 1) return undefined;
  const bytes = regroup(words.slice(0, -CHECKSUM_LENGTH), { from: 5, to: 8, pad: false });
  return bytes === undefined ? undefined : { prefix, bytes: Buffer.from(bytes) };
}

/** Undefined where whole groups cannot be made: bits left over that are too many or not zero. */
function regroup(
  groups: Iterable<number>,
  { from, to, pad }: { from: number; to: number; pad: boolean },
): number[] | undefined {
  const out: number[] = [];
  let bits = 0;
  let held = 0;
  for (const group of groups) {
    held = (held << from) | group;
    bits += from;
    for (; bits >= to; bits -= to) out.push((held >>> (bits - to)) & ((1 << to) - 1));
    held &= (1 << bits) - 1;
  }
  if (pad) return bits === 0 ? out : [...out, (held << (to - bits)) & ((1 << to) - 1)];
  return bits >= from || held !== 0 ? undefined : out;
}

function expand(prefix: string): number[] {
  const codes = Array.from(prefix, (character) => character.charCodeAt(0));
  return [...codes.map((code) => code >>> 5), 0, ...codes.map((code) => code & 31)];
}

/** Plain loops: it runs once in a launch, uncompiled, and closures would double its time. */
function polymod(words: readonly number[]): number {
  let sum = 1;
  for (const word of words) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ word;
    if (top & 1) sum ^= 0x3b6a57b2;
    if (top & 2) sum ^= 0x26508e6d;
    if (top & 4) sum ^= 0x1ea119fa;
    if (top & 8) sum ^= 0x3d4233dd;
    if (top & 16) sum ^= 0x2a1462b3;
  }
  return sum;
}
