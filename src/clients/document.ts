/**
 * What every config format is turned into, and the edits that every format knows. Pointers are RFC 6901 pointers into
 * the file; `start` and `end` are UTF-16 offsets in the decoded string at a pointer, end exclusive.
 */

export interface TextAt {
  readonly pointer: string;
  readonly text: string;
  /** For a number, `true` or `false` where a string belongs: its spelling. `text` is then what a client hands on. */
  readonly literal?: string;
}

export interface NamedText extends TextAt {
  readonly name: string;
}

/** One server of a config. */
export interface Entry {
  readonly server: string;
  readonly pointer: string;
  readonly kind: "stdio" | "remote";
  readonly command?: TextAt;
  readonly args: readonly TextAt[];
  readonly env: readonly NamedText[];
  readonly url?: TextAt;
  readonly headers: readonly NamedText[];
  /** What else decides what the client starts (members.ts), by name, as JSON. */
  readonly members?: Readonly<Record<string, string>>;
}

/** An entry that is not of the shape its client documents: left alone, and reported. */
export interface EntryProblem {
  readonly server: string;
  readonly pointer: string;
  /** What is wrong, without any value: `args must be an array of strings`. */
  readonly problem: string;
}

export interface ConfigDocument {
  readonly entries: readonly Entry[];
  readonly problems: readonly EntryProblem[];
}

export type Edit =
  /**
   * Puts `text` in place of a part of the string at `pointer`; in place of all of a number, which becomes a string. With
   * `literal` the string becomes the number that `text` spells.
   */
  | {
      readonly type: "replace";
      readonly pointer: string;
      readonly start: number;
      readonly end: number;
      readonly text: string;
      readonly literal?: true;
    }
  /** Puts strings before the first item of the array at `pointer`; makes the array where there is none. */
  | { readonly type: "prepend"; readonly pointer: string; readonly items: readonly string[] }
  /** Adds a member with a string to the object at `pointer`; makes the object where there is none. */
  | { readonly type: "add"; readonly pointer: string; readonly name: string; readonly text: string };

/** A config format: JSON and JSONC today. */
export interface ConfigFormat {
  /**
   * The entries under `keyPath` (`["mcpServers"]`). Strict: fatal UTF-8, one value, no duplicate keys, depth at most
   * 512, at most 16 MiB.
   * @throws UserError config-invalid, with line and column
   */
  parse(bytes: Buffer, keyPath: readonly string[]): ConfigDocument;
  /**
   * The bytes with the edits made and every other byte as it was.
   * @throws UserError config-invalid as `parse`; Error where an edit names something that is not there (a bug)
   */
  edit(bytes: Buffer, edits: readonly Edit[]): Buffer;
  /**
   * The bytes without the members and items at `pointers`, and every other value as it was.
   * @throws as `edit`
   */
  remove(bytes: Buffer, pointers: readonly string[]): Buffer;
}
