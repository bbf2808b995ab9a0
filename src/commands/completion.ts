import type { Context } from "../context.ts";
import { EXIT, UserError } from "../errors.ts";

/** What a shell may complete: the words of the command line, taken from the commands themselves. */
export interface Completable {
  readonly name: string;
  readonly description: string;
  /** Long options: `--json`. */
  readonly options: readonly string[];
  /** Commands below it. */
  readonly commands: readonly string[];
}

/** `completion SHELL`: prints the script that the shell reads. */
export function runCompletion(
  context: Pick<Context, "terminal">,
  shell: string,
  commands: readonly Completable[],
): number {
  const write = SHELLS.get(shell);
  if (write === undefined) {
    throw new UserError("usage", `no completion for the shell ${shell}`, {
      hint: `mcp-secrets completion ${[...SHELLS.keys()].join("|")}`,
    });
  }
  context.terminal.out(write(commands));
  return EXIT.ok;
}

const SHELLS = new Map([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
]);

function bash(commands: readonly Completable[]): string {
  const cases = commands.map((command) => `    ${command.name}) words="${wordsOf(command).join(" ")}" ;;`).join("\n");
  return `# eval "$(mcp-secrets completion bash)"
_mcp_secrets() {
  local words="${commands.map(({ name }) => name).join(" ")}"
  [ "$COMP_CWORD" -gt 1 ] && case "\${COMP_WORDS[1]}" in
${cases}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _mcp_secrets mcp-secrets
`;
}

function zsh(commands: readonly Completable[]): string {
  const names = commands.map(({ name, description }) => `    '${name}:${quoted(description)}'`).join("\n");
  const cases = commands
    .map((command) => `    ${command.name}) compadd -- ${wordsOf(command).join(" ")} ;;`)
    .join("\n");
  return `#compdef mcp-secrets
# eval "$(mcp-secrets completion zsh)"
_mcp_secrets() {
  local -a commands=(
${names}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
${cases}
  esac
  _files
}
# A shell whose set-up has not called compinit does not know compdef.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _mcp_secrets mcp-secrets
`;
}

function fish(commands: readonly Completable[]): string {
  const lines = commands.flatMap(({ name, description, options, commands: inner }) => [
    `complete -c mcp-secrets -n __fish_use_subcommand -a ${name} -d '${quoted(description)}'`,
    ...inner.map((word) => `complete -c mcp-secrets -n '__fish_seen_subcommand_from ${name}' -a ${word}`),
    ...options.map((option) => {
      return `complete -c mcp-secrets -n '__fish_seen_subcommand_from ${name}' -l ${option.replace(/^--/, "")}`;
    }),
  ]);
  return `# mcp-secrets completion fish | source\n${lines.join("\n")}\n`;
}

function wordsOf({ commands, options }: Completable): readonly string[] {
  return [...commands, ...options];
}

function quoted(text: string): string {
  return text.replaceAll("'", "'\\''");
}
