import { malformed } from "./error.ts";

/** The ASCII armor of c2sp.org/age: strict PEM (RFC 7468, figure 3) with white space around it allowed. */

const BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----";
const END = "-----END AGE ENCRYPTED FILE-----";
const COLUMNS = 64;

/** True where the file starts as an armored one does, not as a binary one. */
export function isArmored(file: Buffer): boolean {
  return file.toString("latin1", 0, 1024).trimStart().startsWith("-----BEGIN");
}

/** The binary file. @throws AgeError for any text but the canonical one; line ends may be LF or CRLF */
export function removeArmor(file: Buffer): Buffer {
  const [begin, ...lines] = file.toString("latin1").trim().split(/\r?\n/);
  const end = lines.pop();
  if (begin !== BEGIN || end !== END) throw malformed("armor without its first or last line");
  const full = lines.slice(0, -1).every((line) => line.length === COLUMNS);
  const last = lines.at(-1) ?? "";
  if (!full || last.length === 0 || last.length > COLUMNS) throw malformed("armor with a line of the wrong length");
  const text = lines.join("");
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw malformed("armor that is not canonical base64");
  return bytes;
}
