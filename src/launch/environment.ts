/**
 * Which variables a server does not get unless its entry names them, and which may never carry a secret. Tables with a
 * reason for each row: what is left out is told to the user with it.
 *
 * An entry cannot add a variable without a new approval, so that this is about the client's own environment: the shell of
 * the user, a desktop session, an editor that reads `.env` files of a project. What loads code or names a program is left
 * out. What says where the network is (proxies, certificates, registries and indexes of packages) is the user's, and
 * passes: behind a company's proxy nothing works without.
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
    prefixes: ["LD_"],
    reason: "loads code into every program, ld.so(8)",
  },
  { names: ["GLIBC_TUNABLES"], reason: "changes how every program uses its memory, ld.so(8)" },
  { prefixes: ["DYLD_"], reason: "loads code into every program, dyld(1)" },
  { names: ["NODE_OPTIONS"], value: NODE_LOADS, reason: "loads code into Node or opens a debugger, node(1)" },
  { names: ["NODE_PATH"], reason: "adds folders that Node loads modules from, node(1)" },
  { names: ["NODE_COMPILE_CACHE"], reason: "is where Node keeps compiled code, node(1)" },
  {
    names: ["NODE_REPL_EXTERNAL_MODULE", "NODE_REDIRECT_WARNINGS", "NODE_V8_COVERAGE", "NODE_ICU_DATA"],
    reason: "names files, node(1)",
  },
  {
    names: [
      "npm_config_node_options",
      "npm_config_script_shell",
      "npm_config_shell",
      "npm_config_git",
      "npm_config_onload_script",
    ],
    reason: "is run by npm and npx, npm-config(7)",
  },
  { names: ["npm_config_package", "npm_config_call"], reason: "changes what npx runs, npm-exec(1)" },
  // npm sets it to its own for everything that it starts.
  {
    names: ["npm_config_node_gyp"],
    value: /(?<!\/node-gyp\/bin\/node-gyp\.js)$/,
    reason: "is run by npm, npm-config(7)",
  },
  { names: ["BASH_ENV", "ENV"], reason: "is run by every shell, bash(1) and sh(1)" },
  {
    names: ["SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "ZDOTDIR"],
    prefixes: ["BASH_FUNC_"],
    reason: "makes a shell run or print more, bash(1)",
  },
  {
    names: ["PYTHONSTARTUP", "PYTHONHOME", "PYTHONPATH", "PYTHONINSPECT", "PYTHONBREAKPOINT", "PYTHONPLATLIBDIR"],
    reason: "loads code into Python, python(1)",
  },
  { names: ["PYTHONUSERBASE", "PYTHONPYCACHEPREFIX"], reason: "is where Python looks for code, python(1)" },
  // The category of a filter, `action:message:category`, is imported.
  { names: ["PYTHONWARNINGS"], value: /\./, reason: "imports a module into Python, python(1)" },
  { names: ["PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB"], reason: "loads code into Perl, perlrun(1)" },
  { names: ["RUBYOPT", "RUBYLIB"], reason: "loads code into Ruby, ruby(1)" },
  { names: ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"], reason: "loads agents into Java, java(1)" },
  { names: ["CLASSPATH"], reason: "is where Java looks for code, java(1)" },
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

/**
 * What reaches a vault is the launcher's own: a server gets its secrets and no way to more. Names of what only tells
 * which vault or project (`AZURE_TENANT_ID`, `DOPPLER_PROJECT`) pass. A server that works with such a vault itself gets
 * its way in by its entry, where `migrate` finds it.
 */
const BROKER: readonly VariableRule[] = [
  { prefixes: ["VAULT_", "BAO_"], reason: "belongs to a vault client" },
  { prefixes: ["AWS_"], reason: "may open a vault in AWS" },
  {
    names: [
      "GOOGLE_APPLICATION_CREDENTIALS",
      "GOOGLE_CREDENTIALS",
      "GOOGLE_OAUTH_ACCESS_TOKEN",
      "CLOUDSDK_AUTH_ACCESS_TOKEN",
      "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
      "AZURE_CLIENT_SECRET",
      "AZURE_PASSWORD",
      "AZURE_CLIENT_CERTIFICATE_PATH",
      "AZURE_CLIENT_CERTIFICATE_PASSWORD",
      "AZURE_FEDERATED_TOKEN_FILE",
      "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
      "HCP_CLIENT_SECRET",
    ],
    reason: "opens the vaults of a cloud",
  },
  {
    names: [
      "OP_SERVICE_ACCOUNT_TOKEN",
      "OP_CONNECT_TOKEN",
      "DOPPLER_TOKEN",
      "BWS_ACCESS_TOKEN",
      "BW_SESSION",
      "BW_PASSWORD",
      "BW_CLIENTSECRET",
      "INFISICAL_TOKEN",
      "KSM_CONFIG",
      "KSM_TOKEN",
      "PHASE_SERVICE_TOKEN",
    ],
    prefixes: ["OP_SESSION_", "INFISICAL_UNIVERSAL_AUTH_", "AKEYLESS_", "CONJUR_AUTHN_", "SOPS_AGE_"],
    reason: "opens another vault",
  },
];

/** Variables that decide what is run: a secret has no business there, and a vault no say in it. */
const DECIDES_WHAT_RUNS: VariableRule = {
  names: ["PATH", "PATHEXT", "COMSPEC", "SHELL", "IFS", "HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "NODE_OPTIONS"],
  reason: "decides what is run",
};

const NPM = "npm_config_";

interface RuleIndex {
  readonly names: ReadonlyMap<string, VariableRule>;
  readonly prefixes: readonly (readonly [string, VariableRule])[];
}

const LOADERS = indexOf(CODE_LOADERS);
const WITHHELD = indexOf([...BROKER, ...CODE_LOADERS]);
const NO_SECRET = indexOf([DECIDES_WHAT_RUNS, ...CODE_LOADERS]);

/** What Node puts in place of bytes that are no UTF-8: nobody writes it. */
const UNREADABLE = "\u{FFFD}";

/** Why the variable is left out of a server's environment, or undefined where it is passed on. */
export function whyWithheld(name: string, value: string): string | undefined {
  // In a list of folders the others still count.
  if (name !== "PATH" && (value.includes(UNREADABLE) || name.includes(UNREADABLE))) {
    return "holds bytes that are no UTF-8, which Node cannot hand on as they are";
  }
  return reasonIn(WITHHELD, name, value);
}

/** What a variable with this value loads or runs, or undefined where it does neither. */
export function whatLoads(name: string, value: string): string | undefined {
  return reasonIn(LOADERS, name, value);
}

function reasonIn(index: RuleIndex, name: string, value: string): string | undefined {
  const rule = ruleFor(index, name);
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

function ruleFor({ names, prefixes }: RuleIndex, variable: string): VariableRule | undefined {
  const name = canonical(variable);
  return names.get(name) ?? prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
}

/** npm reads its options in any case, and with `-` for `_` (npm-config(7), "Environment Variables"). */
function canonical(name: string): string {
  const isOfNpm = name.slice(0, NPM.length).toLowerCase() === NPM;
  return isOfNpm ? name.toLowerCase().replaceAll("-", "_") : name;
}
