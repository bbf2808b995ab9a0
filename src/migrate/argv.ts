import { programOf, variableOption } from "./container.ts";

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
  /**
   * How the variable is read where the reference stands alone in it: `decoded` as what the URL around it meant, `spelled`
   * as the characters that stood in the argument.
   */
  readonly alone?: "decoded" | "spelled";
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
      const attached = variableOption(words, index);
      if (attached === undefined) return undefined;
      const [, variable = "", value = ""] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text.slice(attached)) ?? [];
      if (variable === "" || steersClient(variable)) return undefined;
      return { argument: `${text.slice(0, attached)}${variable}`, variable, value };
    },
  },
  {
    id: "PostgreSQL password",
    source: "libpq environment variables, PGPASSWORD; node-postgres reads it where the URL has no password",
    move: ({ words, index, text, reference }) => {
      const inUrl = `:${reference}@`;
      if (!starts(words, index, PGPASSWORD_READERS)) return undefined;
      if (!/^postgres(ql)?:\/\//.test(text) || !text.includes(inUrl)) return undefined;
      return { argument: text.replace(inUrl, "@"), variable: "PGPASSWORD", value: reference, alone: "decoded" };
    },
  },
  {
    id: "mcp-remote header",
    source: "mcp-remote README, custom headers: ${NAME} in a header is taken from the environment",
    move: ({ words, index, text, reference, interpolated }) => {
      const header = /^([A-Za-z0-9-]+)\s*:/.exec(text)?.[1];
      if (interpolated || header === undefined || words[index - 1] !== "--header") return undefined;
      if (!starts(words, index, ["mcp-remote"])) return undefined;
      const variable = `MCP_HEADER_${header.toUpperCase().replaceAll("-", "_")}`;
      return { argument: text.replace(reference, `\${${variable}}`), variable, value: reference, alone: "spelled" };
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

/** What the client of a container engine reads itself: there it would change how the engine is reached. */
function steersClient(variable: string): boolean {
  return /^(?:DOCKER|CONTAINER|CONTAINERD|BUILDKIT|COMPOSE|PODMAN)_|^(?:HTTPS?|NO|ALL)_PROXY$|^XDG_|^SSH_/i.test(
    variable,
  );
}

/**
 * True where the program before `index` that gets our environment is one of `names`. Containers, other machines, other
 * users and programs that we do not know have an environment of their own.
 */
function starts(words: readonly string[], index: number, names: readonly string[]): boolean {
  const program = started(words.slice(0, index));
  return program !== undefined && names.some((name) => isPackage(program, name) || programOf(program) === name);
}

/** The package or program that the words start, behind a runner of packages. */
function started(words: readonly string[]): string | undefined {
  const [first = "", ...rest] = words;
  const actions = RUNNERS.get(programOf(first));
  if (actions === undefined) return first;
  const next = rest.findIndex((word) => !word.startsWith("-") && !actions.includes(word.toLowerCase()));
  // An option that takes a value would have it taken for the package.
  if (rest.slice(0, Math.max(next, 0)).some((word) => word.startsWith("-") && !PLAIN_OPTIONS.has(word)))
    return undefined;
  const found = rest[next];
  return found !== undefined && RUNNERS.has(programOf(found)) ? started(rest.slice(next)) : found;
}

/** Programs that start what a package holds in their own environment, and the words for it. */
const RUNNERS: ReadonlyMap<string, readonly string[]> = new Map([
  ["npx", []],
  ["bunx", []],
  ["pnpx", []],
  ["bun", ["x"]],
  ["pnpm", ["dlx", "exec"]],
  ["yarn", ["dlx", "exec"]],
  ["npm", ["exec", "x"]],
  ["uvx", []],
  ["uv", ["tool", "run"]],
  ["pipx", ["run"]],
  ["cmd", ["/c"]],
]);
const PLAIN_OPTIONS = new Set(["-y", "--yes", "-q", "--quiet", "--silent", "--bun", "--"]);

/** True for `name`, `name@1.2.3` and `name@latest`. */
function isPackage(word: string, name: string): boolean {
  return word === name || word.startsWith(`${name}@`);
}
