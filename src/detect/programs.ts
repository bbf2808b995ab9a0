/** How an option takes its password: as the next word, in the same word, or behind a user and a colon. */
type Taking = "next" | "attached" | "pair";

interface Option {
  readonly program: RegExp;
  readonly flag: string;
  readonly taking: Taking;
  readonly source: string;
}

/** Options of one letter that carry a password. One letter says nothing by itself: the program gives it its meaning. */
const OPTIONS: readonly Option[] = [
  { program: /redis|valkey|keydb/, flag: "-a", taking: "next", source: "redis-cli --help" },
  { program: /^sshpass$/, flag: "-p", taking: "next", source: "sshpass(1)" },
  { program: /^sshpass$/, flag: "-p", taking: "attached", source: "sshpass(1)" },
  {
    program: /^(?:mysql|mariadb)(?:-?dump|-?admin|-?import|-?check|pump|sh)?$/,
    flag: "-p",
    taking: "attached",
    source: "mysql manual, connecting with options",
  },
  {
    program: /^(?:mongo(?:sh|dump|restore|import|export)?|cqlsh|influx)$/,
    flag: "-p",
    taking: "next",
    source: "mongosh, cqlsh and influx --help",
  },
  { program: /^mosquitto|^sqlcmd|^bcp/, flag: "-P", taking: "next", source: "mosquitto_pub(1), sqlcmd utility" },
  { program: /^ldap/, flag: "-w", taking: "next", source: "ldapsearch(1)" },
  { program: /^curl/, flag: "-u", taking: "pair", source: "curl(1), --user" },
  { program: /^curl/, flag: "-U", taking: "pair", source: "curl(1), --proxy-user" },
];

/** How far a program is looked for, so that long lines of shell take no long time. */
const MOST_WORDS = 40;

const CONTAINERS = /^(?:docker|podman|nerdctl|kubectl|docker-compose)$/;

/** True where a container is started: its `-u` and `--user` take ids, and its `-p` takes ports. */
export function isContainer(words: readonly string[]): boolean {
  return words.slice(0, MOST_WORDS).some((word) => CONTAINERS.test(programOf(word)));
}

/** Where the password begins in the word at `index`, if the option before it or in it says so; -1 where none does. */
export function passwordStart(words: readonly string[], index: number): number {
  const text = words[index] ?? "";
  const previous = words[index - 1] ?? "";
  const short = /^-[A-Za-z]/.exec(text)?.[0];
  if (short === undefined && !/^-[A-Za-z]$/.test(previous)) return -1;
  const before = words.slice(Math.max(0, index - MOST_WORDS), index);
  const programs = before.filter((word) => !word.startsWith("-")).map(programOf);
  const takes = (flag: string, taking: Taking) =>
    OPTIONS.some(
      (option) =>
        option.flag === flag && option.taking === taking && programs.some((name) => option.program.test(name)),
    );
  if (takes(previous, "next")) return 0;
  if (short === undefined) return followsUser(words, index) ? 0 : -1;
  if (text.length === 2) return -1;
  if (takes(short, "attached") || takes(short, "pair")) return 2;
  return short === "-p" && hasUser(words, index) && isNoWord(text.slice(2)) ? 2 : -1;
}

/** `-u NAME -p PASSWORD` of any program that logs in. */
function followsUser(words: readonly string[], index: number): boolean {
  return /^-[pP]$/.test(words[index - 1] ?? "") && hasUser(words, index - 1) && isNoWord(words[index] ?? "");
}

/** What an unknown program takes for `-p` may be a port, a profile or a project as well: `-pool`, `-p my-project`. */
function isNoWord(text: string): boolean {
  return !/^[\d:.-]*$/.test(text) && !/^[a-z._/-]*(?:=.*)?$/.test(text);
}

function hasUser(words: readonly string[], before: number): boolean {
  if (isContainer(words)) return false;
  return words
    .slice(Math.max(0, before - MOST_WORDS), before)
    .some((word) => /^(?:-[uU]\w*|--user(?:name)?(?:=.*)?)$/.test(word));
}

function programOf(word: string): string {
  if (word.length > 300 || /\s|=/.test(word)) return "";
  const scheme = /^([a-z]+):\/\//.exec(word)?.[1];
  if (scheme !== undefined) return scheme;
  return (/[^/\\]*$/.exec(word)?.[0] ?? "").toLowerCase().replace(/\.exe$/, "");
}
