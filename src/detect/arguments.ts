import { disjoint, shifted } from "./hit.ts";
import type { Hit } from "./hit.ts";
import { meaningOf } from "./names.ts";
import { isContainer, passwordStart } from "./programs.ts";
import { isShellText, shellWords } from "./shell.ts";
import { headerHits, textHits, valueHits } from "./text.ts";
import { isSecretAs } from "./value.ts";

/** Flags that take `NAME=value` of the environment: docker, podman, env of many tools. */
const ENV_FLAG = /^(?:-e|--env|--environment|--set-env|--env-var|--build-arg)$/;

/** Flags that take `Name: value`: curl, mcp-remote, supergateway and their like. */
const HEADER_FLAG = /^(?:-H|--?(?:[\w-]+-)?headers?)$/;

/** A flag alone, whose value is the next argument. */
const FLAG = /^--?[A-Za-z][\w.-]*$/;

/** A flag and its value in one argument, or a system property: `--flag=value`, `--flag value`, `-Dname=value`. */
const FLAG_VALUE = /^(--?[A-Za-z][\w.-]{0,100})(?:=|\s+)(?=\S)/;

/** A flag of Windows and its value: `/password:value`. */
const SLASH_FLAG = /^\/([A-Za-z][\w-]{0,40})[:=](?=[^\s/\\])/;

/** `NAME=value`, also as a shell of Unix or PowerShell sets it. */
const ASSIGNMENT = /^\s*(?:export\s+)?(?:\$env:)?([A-Za-z_][\w.-]{0,200})=/;

/** The secrets in the word at `index` of the words that start a server: the command, then its arguments. */
export function argumentHits(words: readonly string[], index: number): Hit[] {
  const text = words[index] ?? "";
  const previous = index > 0 ? (words[index - 1] ?? "") : "";
  // A command of several words is given to a shell; a path with blanks has nothing that would be found.
  if (index === 0 && /\s/.test(text)) return disjoint([...textHits(text), ...shellHits(text)]);
  const name = nameBefore(words, index);
  if (name !== undefined) return valueHits(name, text);
  const password = passwordHits(words, index);
  if (password.length > 0) return password;
  if (takesNext(previous, text)) return takesIds(previous, words) ? textHits(text) : flagHits(previous, text);
  return attachedHits(text, words);
}

/** The name under which a word stands that is neither a flag nor in the same word. */
function nameBefore(words: readonly string[], index: number): string | undefined {
  const [second = "", first = ""] = index > 1 ? [words[index - 2], words[index - 1]] : [];
  if (words[index]?.startsWith("--") === true) return undefined;
  // mcp-proxy: `--headers NAME VALUE`.
  if (HEADER_FLAG.test(second) && /^[A-Za-z][\w-]{0,100}$/.test(first)) return first;
  // PowerShell: `$env:NAME = value`.
  if (first === "=") return /^\$env:(\w{1,100})$/i.exec(second)?.[1];
  // fish, csh and Windows: `set -x NAME value`, `setenv NAME value`, `setx NAME value`.
  const sets = /^set(?:x|env)$/i.test(second) || (words[index - 3] === "set" && /^(?:-\w*x\w*|--export)$/.test(second));
  return sets && /^\w{1,100}$/.test(first) ? first : undefined;
}

/** What an option of one letter takes, in the program that has it. */
function passwordHits(words: readonly string[], index: number): Hit[] {
  const start = passwordStart(words, index);
  if (start < 0) return [];
  const text = words[index] ?? "";
  const value = text.slice(start);
  const pair = valueHits("-u", value);
  if (pair.length > 0) return shifted(pair, start);
  if (/^[\d:.-]*$/.test(value) && value.length < 6) return [];
  if (!isSecretAs("password", value) || text.slice(0, 2) === "-u") return [];
  const reason = "it stands where the program takes a password";
  const end = text.length;
  return [{ start, end, kind: "password", confidence: "high", reason, name: "password", encoded: false }];
}

/** The user of a container is a number or a name, with those of a group behind a colon. */
function takesIds(flag: string, words: readonly string[]): boolean {
  return /^(?:-u|--user)$/.test(flag) && isContainer(words);
}

function takesNext(flag: string, text: string): boolean {
  if (!FLAG.test(flag)) return false;
  return (
    !/^--?[A-Za-z][\w.-]*(?:[= ]|$)/.test(text) || (meaningOf(flag) === "password" && !/^-(?:-|[A-Za-z]$)/.test(text))
  );
}

/** The secrets in a word that says itself what it is. */
function attachedHits(text: string, words: readonly string[]): Hit[] {
  const short = /^-(?:e(?=[A-Z_][A-Z0-9_]*=)|[eH](?=\w))/.exec(text);
  if (short !== null && (/^-e[A-Z_][A-Z0-9_]*=/.test(text) || (isContainer(words) && /^-e[A-Za-z_]\w*=/.test(text))))
    return shifted(assignmentHits(text.slice(2)), 2);
  const flag = FLAG_VALUE.exec(text);
  if (flag !== null && !isShell(text, flag)) {
    const name = flag[1] ?? "";
    const value = text.slice(flag[0].length);
    return shifted(takesIds(name, words) ? textHits(value) : flagHits(name, value), flag[0].length);
  }
  if (short !== null && /[=:]/.test(text)) return shifted(flagHits(short[0], text.slice(2)), 2);
  const slash = SLASH_FLAG.exec(text);
  if (slash !== null) return shifted(slashHits(slash[1] ?? "", text.slice(slash[0].length)), slash[0].length);
  const assigned = assignmentHits(text);
  if (assigned.length > 0) return assigned;
  return isShellText(text) ? disjoint([...textHits(text), ...shellHits(text)]) : textHits(text);
}

function flagHits(flag: string, text: string): Hit[] {
  if (ENV_FLAG.test(flag)) return assignmentHits(text);
  if (HEADER_FLAG.test(flag)) return headerHits(text);
  const hits = valueHits(flag, text);
  if (isShellText(text) && meaningOf(flag) === "none") return disjoint([...hits, ...shellHits(text)]);
  return hits.length > 0 ? hits : assignmentHits(text);
}

/** `/p:` is the password of many programs; of msbuild and sqlpackage it takes `Name=value`. */
function slashHits(name: string, text: string): Hit[] {
  if (name.toLowerCase() !== "p") return valueHits(name, text);
  return /^\d+$|=/.test(text) ? [] : valueHits("password", text);
}

function assignmentHits(text: string): Hit[] {
  const match = ASSIGNMENT.exec(text.slice(0, 400));
  if (match === null || isShellText(text)) return [];
  return shifted(valueHits(match[1] ?? "", text.slice(match[0].length)), match[0].length);
}

/** A flag with more than one word after it is a piece of shell, unless the flag says what the rest is. */
function isShell(text: string, flag: RegExpExecArray): boolean {
  const rest = text.slice(flag[0].length);
  return (
    isShellText(text) && /\s/.test(rest) && meaningOf(flag[1] ?? "") === "none" && !HEADER_FLAG.test(flag[1] ?? "")
  );
}

/** Every word of a piece of shell, judged as an argument is. A quoted word may be shell again. */
function shellHits(text: string): Hit[] {
  const words = shellWords(text);
  const texts = words.map((word) => word.text);
  return disjoint(
    words.flatMap(({ start, text: word }, index) => (word === text ? [] : shifted(argumentHits(texts, index), start))),
  );
}
