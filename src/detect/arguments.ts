import { disjoint, shifted } from "./hit.ts";
import type { Hit } from "./hit.ts";
import { meaningOf } from "./names.ts";
import { headerHits, textHits, valueHits } from "./text.ts";

/** Flags that take `NAME=value` of the environment: docker, podman, env of many tools. */
const ENV_FLAG = /^(?:-e|--env|--environment|--set-env|--env-var|--build-arg)$/;

/** Flags that take `Name: value`: curl, mcp-remote, supergateway and their like. */
const HEADER_FLAG = /^(?:-H|--?(?:[\w-]+-)?headers?)$/;

/** A flag alone, whose value is the next argument. */
const FLAG = /^--?[A-Za-z][\w.-]*$/;

/** A flag and its value in one argument, or a system property: `--flag=value`, `--flag value`, `-Dname=value`. */
const FLAG_VALUE = /^(--?[A-Za-z][\w.-]{0,100})(?:=|\s+)(?=\S)/;

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][\w.-]{0,200})=/;

/** What a word of a shell is: quoted, or up to what ends it. */
const WORD = `("[^"]*"|'[^']*'|[^\\s;&|()"']+)`;
const SHELL_ASSIGNMENT = new RegExp(`(?<=^|[\\s;&|("'])([A-Za-z_]\\w{0,100})=${WORD}`, "g");
const SHELL_FLAG = new RegExp(`(?<=^|\\s)(--?[A-Za-z][\\w-]{0,60})(?:=|\\s+)${WORD}`, "g");

/** The secrets in one argument. `previous` is the argument before it, which may be the flag that it belongs to. */
export function argumentHits(text: string, previous: string | undefined): Hit[] {
  if (previous !== undefined && takesNext(previous, text)) return flagHits(previous, text);
  const flag = FLAG_VALUE.exec(text);
  if (flag !== null && !isShell(text, flag))
    return shifted(flagHits(flag[1] ?? "", text.slice(flag[0].length)), flag[0].length);
  const short = /^-[eH](?=\w)/.exec(text);
  if (short !== null && /[=:]/.test(text)) return shifted(flagHits(short[0], text.slice(2)), 2);
  const assigned = assignmentHits(text);
  if (assigned.length > 0) return assigned;
  return isShellText(text) ? disjoint([...textHits(text), ...shellHits(text)]) : textHits(text);
}

function takesNext(flag: string, text: string): boolean {
  if (!FLAG.test(flag)) return false;
  return !/^--?[A-Za-z][\w.-]*(?:[= ]|$)/.test(text) || (meaningOf(flag) === "password" && !text.startsWith("--"));
}

function flagHits(flag: string, text: string): Hit[] {
  if (ENV_FLAG.test(flag)) return assignmentHits(text);
  if (HEADER_FLAG.test(flag)) return headerHits(text);
  const hits = valueHits(flag, text);
  if (isShellText(text) && meaningOf(flag) === "none") return disjoint([...hits, ...shellHits(text)]);
  return hits.length > 0 ? hits : assignmentHits(text);
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

/** A text of several words among which are assignments or flags. */
function isShellText(text: string): boolean {
  return text.length <= 32_768 && /\s/.test(text) && /(?:&&|[;|]|\s--?[A-Za-z]|^export\s|\s[A-Za-z_]\w*=)/.test(text);
}

function shellHits(text: string): Hit[] {
  const assignments = [...text.matchAll(SHELL_ASSIGNMENT)];
  const flags = [...text.matchAll(SHELL_FLAG)];
  return disjoint(
    [...assignments, ...flags].flatMap((match) => {
      const [pair, name = "", word = ""] = match;
      const quoted = /^["']/.test(word) ? 1 : 0;
      const value = word.slice(quoted, word.length - quoted);
      const offset = match.index + pair.length - word.length + quoted;
      return shifted(HEADER_FLAG.test(name) ? headerHits(value) : valueHits(name, value), offset);
    }),
  );
}
