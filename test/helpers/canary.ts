import { lstatSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * The bytes that betray `word` in a file: itself, percent-encoded, JSON-escaped, hexadecimal, UTF-16LE, and base64 in
 * the three phases in which it can stand inside a longer text.
 */
export function formsOf(word: string): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(word);
  const forms = new Map<string, Buffer>([
    ["plain", bytes],
    ["percent-encoded", Buffer.from(encodeURIComponent(word))],
    ["percent-encoded in lower case", Buffer.from(encodeURIComponent(word).replaceAll(/%../g, (p) => p.toLowerCase()))],
    ["JSON-escaped", Buffer.from(JSON.stringify(word).slice(1, -1))],
    ["hexadecimal", Buffer.from(bytes.toString("hex"))],
    ["UTF-16LE", Buffer.from(word, "utf16le")],
  ]);
  for (const phase of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(phase), bytes])
      .toString("base64")
      .replaceAll("=", "");
    // The characters that also carry bits of what stands before or after are not the word's own.
    const own = padded.slice([0, 2, 3][phase], (phase + bytes.length) % 3 === 0 ? undefined : -1);
    forms.set(`base64, phase ${phase}`, Buffer.from(own));
    forms.set(`base64url, phase ${phase}`, Buffer.from(own.replaceAll("+", "-").replaceAll("/", "_")));
  }
  return forms;
}

/** `FILE: FORM` for every file at or under `paths` that holds one of `words`, names of files included. */
export function findCanaries(paths: readonly string[], words: readonly string[]): string[] {
  const forms = words.flatMap((word) => [...formsOf(word)]);
  return paths.flatMap((path) =>
    filesUnder(path).flatMap((file) => {
      const bytes = Buffer.concat([Buffer.from(`${file}\0`), readFileSync(file)]);
      return forms.filter(([, form]) => bytes.includes(form)).map(([name]) => `${file}: ${name}`);
    }),
  );
}

/** Every regular file at or under `path`, links not followed; none where nothing is there. */
export function filesUnder(path: string): string[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return stat.isFile() ? [path] : [];
  return readdirSync(path).flatMap((name) => filesUnder(join(path, name)));
}
