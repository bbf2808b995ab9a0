/**
 * One word for a shell, in a command that is printed: a path with blanks or worse is quoted. sh(1): nothing is special
 * between single quotes but the quote itself.
 */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
