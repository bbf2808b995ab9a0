/** How long the watcher lets the processes of a dead launcher end by themselves after SIGTERM, in tenths of a second. */
const GRACE = 12;

/**
 * The program of the watcher, for sh(1). It reads the target from its stdin once the child runs: `123` for a process,
 * `-123` for a group. A launcher that leaves nothing behind kills it; the end of stdin means that the launcher was killed,
 * or left processes of its child behind: SIGTERM, a grace, SIGKILL. What else is to be done for a dead launcher goes
 * after that, so that no process holds a secret that was revoked.
 *
 * A launcher that was killed before it told a target may have started a child all the same. Between fork and exec the
 * child holds the launcher's end of the pipe, so that by the end of stdin it runs, as the leader of a session and group
 * of its own, with the launcher's stdin and stdout: `$1` and `$2`, as proc(5) names pipes and sockets, or `-` for what others
 * may have as well. The oldest such process that is younger than the watcher is the child. Nothing marks it, and
 * nothing runs between it and us.
 *
 * The launcher has read secrets, so a core of it would hold them; Node cannot set its own limit, prlimit(1) of Linux can.
 * A limit of one byte stops core files and, unlike 0, also pipes to a crash reporter (core(5)).
 */
export const WATCHER_SCRIPT = `
trap '' HUP INT QUIT TERM PIPE
in=\${1:--} out=\${2:--}
fields() {
  read -r line 2>/dev/null <"/proc/$1/stat" || return 1
  set -- \${line##*) }
  [ $# -gt 19 ] || return 1
  group=$3 session=$4
  shift 19
  began=$1
}
find_group() {
  fields $$ || exit 0
  since=$began own=$session oldest=999999999999999 target=
  for folder in /proc/[0-9]*; do
    fields "\${folder#/proc/}" || continue
    [ "$began" -ge "$since" ] && [ "$began" -lt "$oldest" ] || continue
    [ "$group" = "$session" ] && [ "$session" != "$own" ] || continue
    for fd in 0 1; do
      case $(readlink "$folder/fd/$fd") in "$in"|"$out") target=-$group oldest=$began;; esac
    done
  done
}
if read -r target; then
  prlimit --core=1:1 --pid "$PPID" 2>/dev/null || prlimit --core=0:0 --pid "$PPID" 2>/dev/null
  while read -r _; do :; done
else
  find_group
fi
[ -n "$target" ] || exit 0
kill -s TERM -- "$target" 2>/dev/null || exit 0
tenths=0
while [ $tenths -lt ${GRACE} ] && kill -s 0 -- "$target" 2>/dev/null; do
  sleep 0.1 2>/dev/null || { sleep 1; tenths=${GRACE}; }
  tenths=$((tenths + 1))
done
kill -s KILL -- "$target" 2>/dev/null
exit 0
`;

/** What starts this program again from a shell that has nothing of our environment. */
export interface Restart {
  readonly self: readonly string[];
  readonly home: string;
  readonly userHome: string;
}

/**
 * The program of the watcher that stands by for leases, for sh(1): it waits for the end of its stdin, which is ours, and
 * then gives back what the journal says that the launch holds. Without a launch it does so at once, for all dead ones.
 */
export function reapScript({ self, home, userHome }: Restart, launch: string | undefined): string {
  const env = [`HOME=${userHome}`, `MCPS_HOME=${home}`].map(quote).join(" ");
  const words = [...self, "reap", ...(launch === undefined ? [] : ["--launch", launch])].map(quote).join(" ");
  const wait = launch === undefined ? "" : "while read -r word; do :; done\n";
  return `trap '' HUP INT QUIT TERM PIPE\n${wait}exec /usr/bin/env ${env} ${words} </dev/null\n`;
}

/** sh(1): nothing is special between single quotes but the quote itself. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
