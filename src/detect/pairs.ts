import { isReference } from "./references.ts";
import { isSecretAs } from "./value.ts";
import { wordsOf } from "./words.ts";

/** Last words of a name whose value may be a user and a password in one. */
const PAIRS = new Set(
  "auth basic basicauth httpauth creds credential credentials userpass userpwd userpassword userpw login".split(" "),
);

/** Flags only: a variable `…_USER` holds a user. */
const USERS = new Set(["user", "u"]);

/** What stands before a colon and is no user. */
const NO_USERS = new Set(
  (
    "oauth oauth2 oidc saml bearer basic digest token apikey key secret type mode scheme method provider http https ws wss " +
    "npm git github file path env mtls cert tls ssh iam aws gcp azure ntlm kerberos role group realm id project"
  ).split(" "),
);

const COLON = /^([^\s:/'"=,{}[\]]{0,64}):(?!\/\/)(\S+)$/;

/** `scott/tiger@//host:1521/service`, `scott/tiger@ALIAS`, `neo4j/password`. */
const SLASH = /^([\w$#.-]{1,64})\/("[^"]+"|[^\s/@]+)(?:@\S+)?$/;

/** Where the password is in a `user:password` or `user/password` under a name for such pairs. */
export function pairPassword(
  name: string,
  value: string,
): { readonly start: number; readonly end: number } | undefined {
  if (value.length > 400 || !(value.includes(":") || value.includes("/")) || !namesPair(name)) return undefined;
  const quoted = /^(["']).*\1$/.test(value) ? 1 : 0;
  const text = value.slice(quoted, value.length - quoted);
  if (isReference(text)) return undefined;
  const colon = COLON.exec(text);
  if (colon !== null) return inColon(colon, quoted);
  const slash = slashed(name) ? SLASH.exec(text) : null;
  const [, user = "", password = ""] = slash ?? [];
  if (slash === null || !isSecretAs("password", password)) return undefined;
  const start = quoted + user.length + 1;
  return password.startsWith('"')
    ? { start: start + 1, end: start + password.length - 1 }
    : { start, end: start + password.length };
}

function inColon([, user = "", password = ""]: RegExpExecArray, quoted: number) {
  // A number is a port or the id of a group; a path follows the letter of a drive.
  if (NO_USERS.has(user.toLowerCase()) || NO_USERS.has(password.toLowerCase())) return undefined;
  if (/^\d{1,5}(?:\/|$)|^[\\/]|\.(?:json|ya?ml|toml|txt|pem|key)$/.test(password)) return undefined;
  if (!isSecretAs("password", password)) return undefined;
  const start = quoted + user.length + 1;
  return { start, end: start + password.length };
}

function namesPair(name: string): boolean {
  if (name.length > 200) return false;
  const words = wordsOf(name);
  const last = words.at(-1) ?? "";
  if (PAIRS.has(last) || slashed(name)) return true;
  if (last === "pass" || last === "pwd" || last === "password") return words.at(-2) === "user";
  return name.startsWith("-") && USERS.has(last);
}

/** Programs that join the two with a slash. A slash elsewhere is that of a path. */
function slashed(name: string): boolean {
  const words = wordsOf(name.slice(0, 200));
  const last = words.at(-1) ?? "";
  if (/neo4j/i.test(name)) return last === "auth";
  return (
    last === "oracle" ||
    (words.includes("oracle") && /^(?:auth|connection|connect|login|dsn|string|creds|credentials)$/.test(last))
  );
}
