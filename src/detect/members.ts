/** A value that stands under a name inside a text. */
export interface Member {
  readonly name: string;
  readonly value: string;
  readonly start: number;
}

/** `"name": "value"` in JSON that stands in a string. */
const MEMBER = /"((?:[^"\\]|\\.){1,200})"\s*:\s*"((?:[^"\\]|\\.)*)"/g;

/** A line of YAML, TOML, INI or dotenv that gives a name a value. */
const LINE = /^[ \t]*(?:- +)?(?:export +)?["']?([A-Za-z_][\w.-]{0,100})["']?(?::[ \t]+|[ \t]*=[ \t]*)(\S.*)$/gm;

/** Lines that name what the indented lines below them belong to, or that give a name a value. */
const STRUCTURE = /^[ \t]*(?:- +)?(?:["']?[A-Za-z_][\w.-]{0,100}["']?(?::(?:[ \t]|$)|[ \t]*=)|\[[\w."-]+\])/gm;

/** `Name: value` or `Name=value`, one of several headers. */
const PIECE = /(?:^|[,;\n])[ \t]*([A-Za-z][\w-]{0,100})[ \t]*[:=][ \t]*([^,;\n]*[^,;\s])/g;

/** The members of JSON in a string that have a string. */
export function jsonMembers(text: string): readonly Member[] {
  if (!/^\s*[[{]/.test(text) || (!text.includes('":') && !text.includes('" :'))) return [];
  return [...text.matchAll(MEMBER)].map((match) => {
    const [pair, name = "", value = ""] = match;
    return { name, value, start: match.index + pair.length - 1 - value.length };
  });
}

/** The lines of a file that stands in a string: YAML, TOML, INI, dotenv. Two lines at least. */
export function lineMembers(text: string): readonly Member[] {
  if (
    !text.includes("\n") ||
    (/^\s*[[{"]/.test(text.slice(0, 200)) && !/^\s*\[[\w."-]+\]\s*\n/.test(text.slice(0, 300)))
  )
    return [];
  if ((text.match(STRUCTURE)?.length ?? 0) < 2) return [];
  return [...text.matchAll(LINE)].flatMap((match) => {
    const [line, name = "", rest = ""] = match;
    const comment = rest.indexOf(" #");
    const value = (comment < 0 ? rest : rest.slice(0, comment)).trimEnd();
    return isScalar(value) ? [{ name, value, start: match.index + line.length - rest.length }] : [];
  });
}

/** One word, two with an authentication scheme, or quoted: more words are prose. */
function isScalar(value: string): boolean {
  return /^["']/.test(value) || /^\S+(?: \S+)?$/.test(value);
}

/** The headers of a list in one text, as in `api-key=…,x-team=a`. */
export function headerMembers(text: string): readonly Member[] {
  return [...text.matchAll(PIECE)].map((match) => {
    const [piece, name = "", value = ""] = match;
    return { name, value, start: match.index + piece.length - value.length };
  });
}
