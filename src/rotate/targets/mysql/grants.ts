import type { Query } from "./connection.ts";

/** What accounts may do, as `SHOW GRANTS` tells it: one statement a line, each in the words of the server. */

/** An account, quoted: in backticks, where nothing but a backtick is special whatever the SQL mode. */
export function account(user: string, host: string): string {
  return `${quoted(user)}@${quoted(host)}`;
}

export function quoted(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** The lines of an account, `CURRENT_USER()` where it is one's own. */
export async function grantsOf(query: Query, of: string): Promise<readonly string[]> {
  const rows = await query(`SHOW GRANTS FOR ${of}`);
  return rows.flatMap((row) => Object.values(row)).map(String);
}

/** True where they give no right at all. */
export function isNothing(lines: readonly string[]): boolean {
  return lines.map(parse).every(({ rights }) => rights.length === 0);
}

/**
 * The same grants for another account, as statements. A password that a line names, as MariaDB's first one does, is left
 * out: that would be the other one's. So is a line that gives nothing: every account has `USAGE`, and to grant it takes
 * a right that who makes accounts need not have.
 */
export function grantsFor(lines: readonly string[], from: string, to: string): string[] {
  return lines.flatMap((line) => {
    const text = withoutPassword(line);
    if (isNothing([text])) return [];
    // An odd run of backticks ends a name, so that this cannot stand inside of one.
    const place = [` TO ${from}`, ` FOR ${from}`].find((each) => text.includes(each));
    if (place === undefined) return [];
    return [text.replace(place, () => place.replace(from, () => to))];
  });
}

/** Rights that `old` lines give and `own` lines do not, in words. */
export function missingGrants(old: readonly string[], own: readonly string[]): string[] {
  const has = own.map(parse);
  return old
    .map(parse)
    .flatMap(({ rights, on }) =>
      rights.filter((right) => !has.some((each) => covers(each, right, on))).map((right) => named(right, on)),
    );
}

interface Grant {
  readonly rights: readonly string[];
  /** `app`.*; empty for a role and for what no object goes with. */
  readonly on: string;
}

const EVERYTHING = "*.*";
const ALL = "ALL PRIVILEGES";

function parse(line: string): Grant {
  const text = withoutPassword(line);
  const found = /^GRANT (.*?) ON (.*?) TO (?=`|')(.*)$/.exec(text);
  if (found === null) return { rights: [text.replace(/ (TO|FOR) .*$/, "")], on: "" };
  const [, rights = "", on = "", rest = ""] = found;
  const option = rest.includes(" WITH GRANT OPTION") ? ["GRANT OPTION"] : [];
  return { rights: [...splitRights(rights), ...option], on };
}

/** At the commas between rights; a right to some columns is one for each. */
function splitRights(text: string): string[] {
  const rights = (text.match(/(?:\([^)]*\)|[^,(])+/g) ?? []).map((right) => right.trim());
  return rights.filter((right) => right !== "USAGE").flatMap(splitColumns);
}

function splitColumns(right: string): string[] {
  const [, name = "", columns = ""] = /^(.*) \((.*)\)$/.exec(right) ?? [];
  return name === "" ? [right] : columns.split(", ").map((column) => `${name} (${column})`);
}

function covers({ rights, on }: Grant, right: string, object: string): boolean {
  if (on !== object && on !== EVERYTHING) return false;
  return rights.includes(right) || (rights.includes(ALL) && right !== "GRANT OPTION");
}

function named(right: string, on: string): string {
  return on === "" ? right : `${right} on ${on}`;
}

function withoutPassword(line: string): string {
  return line.replace(/ IDENTIFIED (BY PASSWORD|VIA|WITH) (?:[^'`]|'[^']*')*?(?= REQUIRE | WITH |$)/, "");
}
