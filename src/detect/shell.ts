/** A word of a command line, without the quotes around it, and where it begins in the line. */
export interface Word {
  readonly text: string;
  readonly start: number;
}

/** Quoted parts and others in any order, up to what ends a word of a shell. */
const WORD = /(?:"[^"]*"|'[^']*'|[^\s;&|()"'])+/g;

/** Longer lines are no command lines. */
const LONGEST = 32_768;

/** True for a text of several words among which are assignments or flags. */
export function isShellText(text: string): boolean {
  if (text.length > LONGEST || !/\s/.test(text)) return false;
  return /(?:&&|[;|]|\s--?[A-Za-z]|^export\s|\s(?:\$env:)?[A-Za-z_]\w*=|^set(?:x|env)\s)/.test(text);
}

/** The words of a command line, of any shell: no expansion, and no escapes but quotes. */
export function shellWords(text: string): readonly Word[] {
  return [...text.slice(0, LONGEST).matchAll(WORD)].map(({ 0: word, index }) => {
    const quoted = /^(?:"[^"]*"|'[^']*')$/.test(word) ? 1 : 0;
    return { text: word.slice(quoted, word.length - quoted), start: index + quoted };
  });
}
