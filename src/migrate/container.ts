/** The words that start a container, as far as it must be known where its options end: behind them it is its own. */

/**
 * Where `NAME=value` begins in the word at `index`, if that is, or belongs to, an option `-e` or `--env` of what starts a
 * container; undefined for any other word, and where an option before it is not known.
 */
export function variableOption(words: readonly string[], index: number): number | undefined {
  const start = startOfOptions(words);
  for (let at = start; at !== undefined && at <= index;) {
    const option = optionAt(words, at);
    if (option === undefined) return undefined;
    const variable = option.name === "e" || option.name === "env";
    const takesNext = option.value === undefined;
    if (variable && at === index && !takesNext) return option.value;
    if (variable && at + 1 === index && takesNext) return 0;
    at += takesNext && !option.plain ? 2 : 1;
  }
  return undefined;
}

/** The last part of a path, without an ending that Windows starts programs by. */
export function programOf(word: string): string {
  return word.replace(/^.*[/\\]/, "").replace(/\.(exe|cmd|bat)$/i, "");
}

interface Option {
  readonly name: string;
  /** True for a switch. */
  readonly plain: boolean;
  /** Where its value begins in the word; undefined where it is the next word, or where there is none. */
  readonly value?: number;
}

/** Where the options of `run` begin. What stands before may be options of the engine. */
function startOfOptions(words: readonly string[]): number | undefined {
  if (!ENGINES.has(programOf(words[0] ?? ""))) return undefined;
  for (let at = 1; at < words.length;) {
    const word = words[at] ?? "";
    if (word === "run") return at + 1;
    if (word === "container") at += 1;
    else if (GLOBAL_SWITCHES.has(word) || (/^--[a-z-]+=/.test(word) && GLOBAL_VALUES.has(nameOf(word)))) at += 1;
    else if (GLOBAL_VALUES.has(word)) at += 2;
    else return undefined;
  }
  return undefined;
}

/** undefined for the image, for `--`, and for what is no option that is known. */
function optionAt(words: readonly string[], at: number): Option | undefined {
  const word = words[at] ?? "";
  if (word.startsWith("--")) return longOption(word);
  return /^-./.test(word) ? shortOption(word) : undefined;
}

function longOption(word: string): Option | undefined {
  const name = nameOf(word).slice(2);
  const value = word.includes("=") ? { value: word.indexOf("=") + 1 } : {};
  if (SWITCHES.has(name)) return { name, plain: true, ...value };
  return VALUES.has(name) ? { name, plain: false, ...value } : undefined;
}

/** Several letters may share a dash; the last may have its value in the same word, also behind `=`. */
function shortOption(word: string): Option | undefined {
  for (let at = 1; at < word.length; at += 1) {
    const name = word.charAt(at);
    if (SHORT_SWITCHES.includes(name)) continue;
    if (!SHORT_VALUES.includes(name)) return undefined;
    const begin = word.charAt(at + 1) === "=" ? at + 2 : at + 1;
    return { name, plain: false, ...(begin < word.length && { value: begin }) };
  }
  return { name: "", plain: true };
}

function nameOf(word: string): string {
  return word.split("=", 1)[0] ?? "";
}

const ENGINES = new Set(["docker", "podman", "nerdctl"]);

/** docker(1), podman(1): options before the command. */
const GLOBAL_SWITCHES = new Set(["-D", "--debug", "--tls", "--tlsverify", "-r", "--remote"]);
const GLOBAL_VALUES = new Set(
  "--config --context -c --host -H --log-level -l --tlscacert --tlscert --tlskey --connection --url".split(" "),
);

/** docker-run(1), podman-run(1), nerdctl command reference. */
const SHORT_SWITCHES = "itdPq";
const SHORT_VALUES = "acehlmpuvw";
const SWITCHES = new Set(
  (
    "detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged publish-all quiet " +
    "read-only rm sig-proxy tty use-api-socket replace rmi no-hosts no-hostname env-host http-proxy read-only-tmpfs tls-verify"
  ).split(" "),
);
const VALUES = new Set(
  (
    "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile " +
    "cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems " +
    "detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns " +
    "dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval " +
    "health-retries health-start-interval health-start-period health-timeout hostname io-maxbandwidth io-maxiops ip ip6 " +
    "ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory " +
    "memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias oom-score-adj pid " +
    "pids-limit platform publish pull restart runtime secret security-opt shm-size stop-signal stop-timeout storage-opt " +
    "sysctl tmpfs ulimit user userns uts volume volume-driver volumes-from workdir authfile pod arch os variant"
  ).split(" "),
);
