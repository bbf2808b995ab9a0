/**
 * Which variables a server does not get unless its entry names them, and which may never carry a secret. Tables with a
 * reason for each row: what is left out is told to the user with it.
 */

interface VariableRule {
  readonly name: RegExp;
  readonly reason: string;
  /** Only a value like this matters; any, where it is missing. */
  readonly value?: RegExp;
}

/** Options of node(1) that run code, read files into the environment or open a debugger. */
const NODE_LOADS =
  /(^|[\s"])(-r|--require|--import|--loader|--experimental-loader|--inspect\S*|--debug\S*|--env-file\S*|--openssl-config|--diagnostic-dir|--report\S*|--heapsnapshot\S*|--snapshot-blob|--build-snapshot\S*|--conditions|-C|--icu-data-dir|--eval|-e|-p|--print)(?=[\s="]|$)/;

const CODE_LOADERS: readonly VariableRule[] = [
  { name: /^LD_(PRELOAD|AUDIT|LIBRARY_PATH|DEBUG|PROFILE)$/, reason: "loads code into every program, ld.so(8)" },
  { name: /^DYLD_/, reason: "loads code into every program, dyld(1)" },
  { name: /^NODE_OPTIONS$/, value: NODE_LOADS, reason: "loads code into Node or opens a debugger, node(1)" },
  { name: /^NODE_(REPL_EXTERNAL_MODULE|REDIRECT_WARNINGS|V8_COVERAGE)$/, reason: "names files for Node, node(1)" },
  { name: /^NODE_PATH$/, reason: "adds folders that Node loads modules from, node(1)" },
  { name: /^(BASH_ENV|ENV)$/, reason: "is run by every shell, bash(1) and sh(1)" },
  { name: /^(SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND)$/, reason: "makes a shell run or print more, bash(1)" },
  { name: /^BASH_FUNC_/, reason: "defines functions of every shell, bash(1)" },
  { name: /^PYTHON(STARTUP|HOME|PATH|INSPECT|BREAKPOINT|PLATLIBDIR)$/, reason: "loads code into Python, python(1)" },
  { name: /^PERL5?(OPT|LIB|DB)$/, reason: "loads code into Perl, perlrun(1)" },
  { name: /^RUBY(OPT|LIB)$/, reason: "loads code into Ruby, ruby(1)" },
  { name: /^(JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS)$/, reason: "loads agents into Java, java(1)" },
  { name: /^(COR|CORECLR)_(ENABLE_PROFILING|PROFILER.*)$|^DOTNET_STARTUP_HOOKS$/, reason: "loads code into .NET" },
  { name: /^PHP(RC|_INI_SCAN_DIR)$/, reason: "loads extensions into PHP, php(1)" },
  { name: /^LUA_INIT/, reason: "is run by every Lua, lua(1)" },
  { name: /^GIT_(SSH|SSH_COMMAND|PROXY_COMMAND|EXTERNAL_DIFF|EXEC_PATH|ASKPASS)$/, reason: "is run by git, git(1)" },
  { name: /^GIT_CONFIG(_.*)?$/, reason: "can make git run programs, git-config(1)" },
  { name: /^(BUN|DENO)_(OPTIONS|CONFIG|INSPECT.*)$|^BUN_INSPECT/, reason: "loads code or opens a debugger" },
  { name: /^(GCONV_PATH|HOSTALIASES|LOCPATH|NLSPATH|MALLOC_TRACE)$/, reason: "names files for libc, ld.so(8)" },
  { name: /^(OPENSSL_CONF|OPENSSL_MODULES|OPENSSL_ENGINES)$/, reason: "loads modules into OpenSSL" },
];

/** What reaches a vault is the launcher's own: a server gets its secrets and no way to more. */
const BROKER: readonly VariableRule[] = [
  { name: /^(VAULT|BAO)_/, reason: "belongs to a vault client" },
  { name: /^AWS_/, reason: "may open a vault in AWS" },
  {
    name: /^(GOOGLE_APPLICATION_CREDENTIALS|AZURE_CLIENT_SECRET|OP_SERVICE_ACCOUNT_TOKEN|OP_SESSION_.*)$/,
    reason: "opens another vault",
  },
];

/** Variables that decide what is run: a secret has no business there, and a vault no say in it. */
const DECIDES_WHAT_RUNS = /^(PATH|PATHEXT|COMSPEC|SHELL|IFS|HOME|USERPROFILE|TMPDIR|TEMP|TMP|NODE_OPTIONS)$/;

/** Why the variable is left out of a server's environment, or undefined where it is passed on. */
export function whyWithheld(name: string, value: string): string | undefined {
  return [...BROKER, ...CODE_LOADERS].find((rule) => rule.name.test(name) && (rule.value?.test(value) ?? true))?.reason;
}

/** Why no secret may be delivered in the variable, or undefined where it may. */
export function whyNoSecret(name: string): string | undefined {
  if (DECIDES_WHAT_RUNS.test(name)) return "decides what is run";
  return CODE_LOADERS.find((rule) => rule.name.test(name))?.reason;
}
