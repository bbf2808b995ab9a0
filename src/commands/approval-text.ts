import type { Entry, TextAt } from "../clients/document.ts";
import { findRefs, formatRef } from "../core/ref.ts";
import { printable } from "../core/table.ts";
import { detect } from "../detect/detect.ts";
import type { Finding } from "../detect/finding.ts";
import type { ApprovalSubject } from "../launch/approval.ts";
import { cautions } from "../launch/cautions.ts";
import { serverView, wordsOf } from "../migrate/wrapper.ts";

/** What the user is asked for: an entry as the config holds it, and what differs from what was approved. */
export interface Approvable {
  readonly entry: Entry;
  readonly subject: ApprovalSubject;
  /** undefined where it was never approved. */
  readonly changes: readonly string[] | undefined;
  readonly platform: NodeJS.Platform;
}

/**
 * Everything that is approved, whole, one word a line: what is cut off is where something hides. Only what looks like a
 * secret in plain text is not shown.
 */
export function approvalText({ entry, subject, changes, platform }: Approvable): string {
  const findings = detect(serverView(entry));
  const [command, ...args] = wordsOf(entry).map((word) => shown(word, findings));
  const lines = [
    `entry    ${subject.id}`,
    `config   ${subject.config}`,
    `command  ${command ?? ""}`,
    ...args.map((arg) => `arg      ${arg}`),
    ...entry.env.map((variable) => `env      ${variable.name}=${shown(variable, findings)}`),
    ...Object.entries(subject.members).map(([name, text]) => `${name.padEnd(8)} ${text}`),
    ...destinations(subject).map(([ref, place]) => `secret   ${ref} goes to ${place}`),
    ...cautions(subject, platform).map((caution) => `note     ${caution}`),
    verdict(changes),
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function shown({ pointer, text }: TextAt, findings: readonly Finding[]): string {
  let result = "";
  let done = 0;
  for (const { start, end } of findings.filter((finding) => finding.pointer === pointer)) {
    result += `${text.slice(done, start)}[a secret in plain text]`;
    done = end;
  }
  return result + text.slice(done);
}

function destinations({ command, args, env }: ApprovalSubject): [ref: string, place: string][] {
  const visible = "which every user of this machine can see";
  const places: [text: string, place: string][] = [
    [command, `the command, ${visible}`],
    ...args.map((arg, index): [string, string] => [arg, `argument ${index + 1}, ${visible}`]),
    ...Object.entries(env).map(([name, text]): [string, string] => [text, `the variable ${name}`]),
  ];
  return places.flatMap(([text, place]) => findRefs(text).map(({ ref }): [string, string] => [formatRef(ref), place]));
}

function verdict(changes: readonly string[] | undefined): string {
  if (changes === undefined) return "not approved so far";
  return changes.length === 0 ? "approved as it is" : `changed since it was approved: ${changes.join(", ")}`;
}
