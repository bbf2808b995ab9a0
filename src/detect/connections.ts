import { disjoint } from "./hit.ts";
import type { Hit } from "./hit.ts";
import { meaningOf } from "./names.ts";
import { isPlaceholder } from "./placeholders.ts";
import { isReference } from "./references.ts";
import { isSecretAs } from "./value.ts";

/** `user:password@tcp(host:3306)/db` of Go's drivers, and `user:password@host:port/db`. */
const GO_DSN = /^([\w.-]{1,64}):(.+)@(?:(?:tcp|tcp4|tcp6|udp|unix|cloudsql)\(|[\w.-]{1,253}:\d{1,5}\/)/;

/** `user/password@host:1521/service` and `user/password@//host`, also behind `jdbc:oracle:thin:`. */
const ORACLE =
  /^((?:jdbc:oracle:(?:thin|oci8?):)?[\w$#.-]{1,64}\/)("[^"]+"|[^\s/@]+)@(?:\/\/[\w.-]+|[\w.-]{1,253}:\d{2,5}[/:]\w)/;
const JDBC_ORACLE = /^jdbc:oracle:/;

/** A piece of shell also has pairs and semicolons. */
const SHELL = /(?:^|[;\s])export\s|&&|\s--?[A-Za-z]/;

/** Schemes of package managers, which look the same as a user. */
const NO_USERS = new Set([
  "npm",
  "jsr",
  "git",
  "github",
  "file",
  "link",
  "workspace",
  "node",
  "docker",
  "http",
  "https",
]);

/** The secrets in a connection string that is no URL: libpq, ADO and ODBC, storage accounts, Go DSNs. */
export function connectionHits(text: string): Hit[] {
  if (text.length > 8192 || text.includes("://")) return text.includes(";") ? pairHits(text) : [];
  return disjoint([...oracleHits(text), ...dsnHits(text), ...pairHits(text)]);
}

function oracleHits(text: string): Hit[] {
  const match = text.includes("/") ? ORACLE.exec(text) : null;
  const [, before = "", password = ""] = match ?? [];
  if (match === null || isReference(password) || isPlaceholder(password)) return [];
  const quoted = password.startsWith('"') ? 1 : 0;
  return [hit(before.length + quoted, before.length + password.length - quoted, "password")];
}

function dsnHits(text: string): Hit[] {
  if (!text.includes("@") || JDBC_ORACLE.test(text)) return [];
  const match = GO_DSN.exec(text);
  const [, user = "", password = ""] = match ?? [];
  if (match === null || NO_USERS.has(user.toLowerCase()) || isReference(password) || isPlaceholder(password)) return [];
  const start = user.length + 1;
  return [hit(start, start + password.length, "password")];
}

/** Two pairs at least, or it is no connection string: `key=value` alone is judged elsewhere. */
function pairHits(text: string): Hit[] {
  const pairs = pairsOf(text);
  if (pairs.length < 2) return [];
  return pairs.flatMap(({ name, value, start }) =>
    isSecretAs(meaningOf(name), value) ? [hit(start, start + value.length, name)] : [],
  );
}

interface Pair {
  readonly name: string;
  readonly value: string;
  readonly start: number;
}

function pairsOf(text: string): readonly Pair[] {
  const semicolons = /^[^;=]{1,60}=[^;]*;/.test(text) && !SHELL.test(text);
  const form = semicolons
    ? /(?:^|;)\s*([A-Za-z][\w .-]{0,60}?)\s*=\s*(?:'([^']*)'|"([^"]*)"|\{([^{}]*)\}|([^;]*))/g
    : /(?:^|\s)([a-z_]{2,40})\s?=\s?(?:'((?:[^'\\]|\\.)*)'|([^\s'"]+))/g;
  return [...text.matchAll(form)].map((match) => {
    const value = match.slice(2).find((group) => group !== undefined) ?? "";
    const start = match.index + match[0].lastIndexOf(value);
    return { name: match[1] ?? "", value, start };
  });
}

function hit(start: number, end: number, name: string): Hit {
  const reason = "it is the password of a connection string";
  return { start, end, kind: "connection-string", confidence: "high", reason, name, encoded: false };
}
