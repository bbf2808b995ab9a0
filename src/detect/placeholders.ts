import { wordsOf } from "./words.ts";

/** Values that say that there is none, or that are the name of what should stand there. */
const WHOLE = new Set(
  (
    "none null nil n/a na todo tbd fixme changeme changeit dummy redacted empty undefined unset true false yes no on off " +
    "secret password passwd pass pwd token key apikey apitoken username user credentials hidden masked removed optional required " +
    "example sample placeholder default xxx abc foo bar baz"
  ).split(" "),
);

/** A word that makes the words around it an instruction to the reader. */
const INSTRUCTIONS = new Set(
  (
    "your yours insert replace paste fill goes changeme placeholder example sample dummy redacted todo " +
    "tu tus votre vos ihre dein deine seu"
  ).split(" "),
);

/** What a credential is called; a value made of such words is a name. */
const NOUNS = new Set(
  "key keys token tokens secret password passwd passphrase apikey pat credential credentials jwt".split(" "),
);

const FOREIGN_NOUNS = /[密钥码令牌键鍵]|キー|トークン|パスワード|ここ|키|토큰|비밀번호|ключ|токен|пароль/;

/** Published in the vendors' own documentation. */
const DOCUMENTED = /^(?:AKIA[A-Z0-9]{8,}EXAMPLE|[A-Za-z0-9/+]{20,}EXAMPLEKEY)$/;

/** True where the value is to be replaced by the reader. Words are compared whole: `yourMango88!` is a password. */
export function isPlaceholder(value: string): boolean {
  const text = value.trim().replace(/^(["'])(.*)\1$/, "$2");
  if (text === "" || text.length > 200) return text === "";
  if (WHOLE.has(text.toLowerCase()) || DOCUMENTED.test(text)) return true;
  return isWrapped(text) || isElided(text) || isMasked(text) || isCounted(text) || isWorded(text);
}

/** `<your key>`, `[key]`, `{key}`, `(key)`, `%%KEY%%`, `__KEY__`, also after a prefix: `HF_{key}`. Words are inside. */
function isWrapped(text: string): boolean {
  if (/^(?:%%.*%%|__\w+__)$/.test(text)) return true;
  const inside = /^[\w-]*(?:<([^<>]*)>|\[([^[\]]*)\]|\{([^{}]*)\}|\(([^()]*)\))$/.exec(text);
  return inside !== null && inside.slice(1).some((part) => part !== undefined && /^$|\p{L}{2}|[.*…]/u.test(part));
}

/** Cut off after its first characters: `sk-ant-api03-...`. */
function isElided(text: string): boolean {
  return text.endsWith("...") || text.endsWith("…");
}

/** One character again and again, after words at most: `ghp_xxxxxxxx`, `sk-****`, `00000000-0000-…`. */
function isMasked(text: string): boolean {
  const parts = text.split(/[-_.:\s]+/);
  const masked = (part: string) => /^([xX*•·●#?0])\1{2,}$/.test(part);
  return masked(parts.at(-1) ?? "") && parts.every((part) => masked(part) || isPlainWord(part));
}

/** Counted up on the keyboard: `abcdef123456`, `0123456789abcdef`. Digits alone may be somebody's password. */
function isCounted(text: string): boolean {
  if (text.length < 8 || text.length > 80 || /^\d{1,9}$/.test(text)) return false;
  let runs = 1;
  for (let at = 1; at < text.length; at += 1) if (!follows(text.charAt(at - 1), text.charAt(at))) runs += 1;
  return text.length / runs >= 5;
}

function follows(a: string, b: string): boolean {
  if ((a === "9" && (b === "0" || b === "a")) || (a === "z" && b === "0")) return true;
  return /[a-z0-9]/i.test(a) && b.charCodeAt(0) === a.charCodeAt(0) + 1;
}

/** Words only, with an instruction or the name of a credential among them. */
function isWorded(text: string): boolean {
  if (/[^\x20-\x7e]/.test(text)) return FOREIGN_NOUNS.test(text);
  const parts = text.split(/[-_.:/\s]+/).filter((part) => part !== "");
  if (parts.length === 0 || !parts.every(isPlainWord) || endsInNumber(parts.at(-1) ?? "")) return false;
  // A short word inside another is chance: `Tu` stands in `FdqxtTu`.
  const words = parts.flatMap((part) => wordsOf(part).filter((word) => word.length > 3 || word === part.toLowerCase()));
  if (parts.length === 1) return words.some((word) => word === "your" || word === "changeme");
  return words.some((word) => INSTRUCTIONS.has(word) || NOUNS.has(word));
}

/** Three words and a number are a password, as in `example-forest-lamp1`; `your-key2` is the second of two keys. */
function endsInNumber(last: string): boolean {
  return /\d$/.test(last) && !NOUNS.has(last.replace(/\d+$/, "").toLowerCase());
}

/** Letters in one case or capitalised; or a few characters such as `api03`. A number is what a person adds to a password. */
function isPlainWord(part: string): boolean {
  if (part.length <= 5) return /^(?:[A-Z]?[a-z]+|[A-Z]+)\d{0,2}$/.test(part);
  return part.length <= 24 && /^(?:[A-Z]?[a-z]+|[A-Z]+|[A-Z]?[a-z]+(?:[A-Z][a-z]+)+)$/.test(part);
}
