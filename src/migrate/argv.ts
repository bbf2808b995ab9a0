/**
 * Where a secret found in an argument can move, so that it is not in the process list at run time. Every row names what
 * its server is known to read instead, and who says so.
 */

/** An argument after its secrets were replaced by references, and what the entry around it is. */
export interface ArgumentPlace {
  /** The words that start the server: the command and its arguments. */
  readonly words: readonly string[];
  /** Position in `words`. */
  readonly index: number;
  /** The argument with references in place of its secrets. */
  readonly text: string;
  /** The reference that it holds. */
  readonly reference: string;
  /** True where the client itself expands `${NAME}` in arguments. */
  readonly interpolated: boolean;
}

/** The argument as it shall read, and the variable that carries the reference instead. */
export interface Move {
  readonly argument: string;
  readonly variable: string;
  readonly value: string;
}

interface MoveRow {
  readonly id: string;
  readonly source: string;
  readonly move: (place: ArgumentPlace) => Move | undefined;
}

const ROWS: readonly MoveRow[] = [
  {
    id: "container variable",
    source: "docker run reference, --env: a name without a value is taken from the environment of docker",
    move: ({ words, index, text }) => {
      if (!startsContainer(words)) return undefined;
      const option = /^(--env=|-e(?==)?=?)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text);
      if (option === null) return undefined;
      const [, attached = "", variable = "", value = ""] = option;
      const follows = ["-e", "--env"].includes(words[index - 1] ?? "");
      return attached !== "" || follows ? { argument: `${attached}${variable}`, variable, value } : undefined;
    },
  },
  {
    id: "PostgreSQL password",
    source: "libpq environment variables, PGPASSWORD; node-postgres reads it where the URL has no password",
    move: ({ words, text, reference }) => {
      const inUrl = `:${reference}@`;
      if (!words.some(readsPgPassword) || !/^postgres(ql)?:\/\//.test(text) || !text.includes(inUrl)) return undefined;
      return { argument: text.replace(inUrl, "@"), variable: "PGPASSWORD", value: reference };
    },
  },
  {
    id: "mcp-remote header",
    source: "mcp-remote README, custom headers: ${NAME} in a header is taken from the environment",
    move: ({ words, index, text, reference, interpolated }) => {
      const header = /^([A-Za-z0-9-]+)\s*:/.exec(text)?.[1];
      if (interpolated || header === undefined || words[index - 1] !== "--header") return undefined;
      if (!words.some((word) => isPackage(word, "mcp-remote"))) return undefined;
      const variable = `MCP_HEADER_${header.toUpperCase().replaceAll("-", "_")}`;
      return { argument: text.replace(reference, `\${${variable}}`), variable, value: reference };
    },
  },
];

/** Programs and packages whose PostgreSQL driver is node-postgres or libpq: read in their sources. */
const PGPASSWORD_READERS = [
  "@modelcontextprotocol/server-postgres",
  "mcp-server-postgres",
  "psql",
  "postgres-mcp",
] as const;

/** The move for an argument with exactly one reference, or undefined where nothing better than its place is known. */
export function moveOf(place: ArgumentPlace): Move | undefined {
  for (const row of ROWS) {
    const move = row.move(place);
    if (move !== undefined) return move;
  }
  return undefined;
}

function startsContainer(words: readonly string[]): boolean {
  return ["docker", "podman", "nerdctl"].includes(programOf(words[0] ?? "")) && words.includes("run");
}

function readsPgPassword(word: string): boolean {
  return PGPASSWORD_READERS.some((name) => isPackage(word, name) || programOf(word) === name);
}

/** True for `name`, `name@1.2.3` and `name@latest`. */
function isPackage(word: string, name: string): boolean {
  return word === name || word.startsWith(`${name}@`);
}

/** The last part of a path, without an ending that Windows starts programs by. */
function programOf(word: string): string {
  return word.replace(/^.*[/\\]/, "").replace(/\.(exe|cmd|bat)$/i, "");
}
