/**
 * Which variables a server does not get unless its entry names them, and which may never carry a secret. Tables with a
 * reason for each row: what is left out is told to the user with it.
 */

/** Names and prefixes, not patterns: every launch looks at every variable, and each pattern costs its compilation. */
interface VariableRule {
  readonly reason: string;
  readonly names?: readonly string[];
  readonly prefixes?: readonly string[];
  /** Only a value like this matters; any, where it is missing. */
  readonly value?: RegExp;
}

/**
 * Any value but a list of options that neither run code nor name files, spelled plainly: node(1) also reads quotes,
 * backslashes and underscores, in which others could hide.
 */
const NODE_LOADS =
  /^(?!(?:\s*--(?:max-old-space-size|max-semi-space-size|stack-size|stack-trace-limit|v8-pool-size|max-http-header-size|no-warnings|no-deprecation|pending-deprecation|throw-deprecation|trace-deprecation|trace-warnings|trace-uncaught|unhandled-rejections|dns-result-order|enable-source-maps|use-openssl-ca|use-bundled-ca|use-system-ca|experimental-vm-modules|experimental-strip-types|no-network-family-autoselection|network-family-autoselection-attempt-timeout|preserve-symlinks)(?:=[\w.-]+)?(?=\s|$))*\s*$)/;

const CODE_LOADERS: readonly VariableRule[] = [
  {
    names: ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_PROFILE"],
    reason: "loads code into every program, ld.so(8)",
  },
  { prefixes: ["DYLD_"], reason: "loads code into every program, dyld(1)" },
  { names: ["NODE_OPTIONS"], value: NODE_LOADS, reason: "loads code into Node or opens a debugger, node(1)" },
  { names: ["NODE_PATH"], reason: "adds folders that Node loads modules from, node(1)" },
  {
    names: ["NODE_REPL_EXTERNAL_MODULE", "NODE_REDIRECT_WARNINGS", "NODE_V8_COVERAGE"],
    reason: "names files, node(1)",
  },
  { names: ["BASH_ENV", "ENV"], reason: "is run by every shell, bash(1) and sh(1)" },
  {
    names: ["SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND"],
    prefixes: ["BASH_FUNC_"],
    reason: "makes a shell run or print more, bash(1)",
  },
  {
    names: ["PYTHONSTARTUP", "PYTHONHOME", "PYTHONPATH", "PYTHONINSPECT", "PYTHONBREAKPOINT", "PYTHONPLATLIBDIR"],
    reason: "loads code into Python, python(1)",
  },
  { names: ["PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB"], reason: "loads code into Perl, perlrun(1)" },
  { names: ["RUBYOPT", "RUBYLIB"], reason: "loads code into Ruby, ruby(1)" },
  { names: ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"], reason: "loads agents into Java, java(1)" },
  {
    names: ["DOTNET_STARTUP_HOOKS", "COR_ENABLE_PROFILING", "CORECLR_ENABLE_PROFILING"],
    prefixes: ["COR_PROFILER", "CORECLR_PROFILER"],
    reason: "loads code into .NET",
  },
  { names: ["PHPRC", "PHP_INI_SCAN_DIR"], reason: "loads extensions into PHP, php(1)" },
  { prefixes: ["LUA_INIT"], reason: "is run by every Lua, lua(1)" },
  {
    names: ["GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_EXEC_PATH", "GIT_ASKPASS"],
    reason: "is run by git, git(1)",
  },
  { prefixes: ["GIT_CONFIG"], reason: "can make git run programs, git-config(1)" },
  {
    names: ["BUN_OPTIONS", "BUN_CONFIG"],
    prefixes: ["BUN_INSPECT"],
    reason: "loads code into Bun or opens a debugger",
  },
  { names: ["GCONV_PATH", "HOSTALIASES", "LOCPATH", "NLSPATH", "MALLOC_TRACE"], reason: "names files, ld.so(8)" },
  { names: ["OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"], reason: "loads modules into OpenSSL" },
];

/** What reaches a vault is the launcher's own: a server gets its secrets and no way to more. */
const BROKER: readonly VariableRule[] = [
  { prefixes: ["VAULT_", "BAO_"], reason: "belongs to a vault client" },
  { prefixes: ["AWS_"], reason: "may open a vault in AWS" },
  {
    names: ["GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_SECRET", "OP_SERVICE_ACCOUNT_TOKEN"],
    prefixes: ["OP_SESSION_"],
    reason: "opens another vault",
  },
];

/** Variables that decide what is run: a secret has no business there, and a vault no say in it. */
const DECIDES_WHAT_RUNS: VariableRule = {
  names: ["PATH", "PATHEXT", "COMSPEC", "SHELL", "IFS", "HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "NODE_OPTIONS"],
  reason: "decides what is run",
};

interface RuleIndex {
  readonly names: ReadonlyMap<string, VariableRule>;
  readonly prefixes: readonly (readonly [string, VariableRule])[];
}

const WITHHELD = indexOf([...BROKER, ...CODE_LOADERS]);
const NO_SECRET = indexOf([DECIDES_WHAT_RUNS, ...CODE_LOADERS]);

/** Why the variable is left out of a server's environment, or undefined where it is passed on. */
export function whyWithheld(name: string, value: string): string | undefined {
  const rule = ruleFor(WITHHELD, name);
  return rule?.value?.test(value) === false ? undefined : rule?.reason;
}

/** Why no secret may be delivered in the variable, or undefined where it may. */
export function whyNoSecret(name: string): string | undefined {
  return ruleFor(NO_SECRET, name)?.reason;
}

/** Of two rules for the same name the first counts. */
function indexOf(rules: readonly VariableRule[]): RuleIndex {
  const last = rules.toReversed();
  return {
    names: new Map(last.flatMap((rule) => (rule.names ?? []).map((name) => [name, rule] as const))),
    prefixes: rules.flatMap((rule) => (rule.prefixes ?? []).map((prefix) => [prefix, rule] as const)),
  };
}

function ruleFor({ names, prefixes }: RuleIndex, name: string): VariableRule | undefined {
  return names.get(name) ?? prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
}
