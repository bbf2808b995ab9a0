import { wordsOf } from "./words.ts";

/**
 * What a name tells of the value under it. `password`: people choose it, so it may be any text. `token`: a machine made
 * it. `maybe`: a token, if it looks like one.
 */
export type NameMeaning = "password" | "token" | "maybe" | "none";

/** Nouns of the field, as whole words of a name. */
const PASSWORD = new Set(["password", "passwd", "passphrase", "passcode", "pwd", "pw", "pass", "passwort"]);
const TOKEN = new Set(
  "secret token apikey accesskey secretkey privatekey jwt bearer cookie cookies totp mnemonic authorization".split(" "),
);
/** The same at the end of a longer word, as in `clientsecret`. */
const ENDINGS = ["apikey", "accesskey", "secretkey", "privatekey", "password", "passwd", "token", "secret"];
/** Short ones at the end of a word, as in `pgpass` and `dbpwd`, and the words of the language that end like them. */
const SHORT_ENDING = /(?:pass|pwd)$/;
const NO_PASSWORD = /(?:by|com|sur|tres|over|under|im)pass$|^oldpwd$/;

/** What `pass` is a verb with: `PASS_THROUGH`. */
const VERB = new Set("through thru along by on over to args arguments env context".split(" "));

/** Beginnings of the names of variables that a build puts into the pages it makes. */
const PUBLIC_NAME = /^(?:NEXT_PUBLIC|NUXT_PUBLIC|PUBLIC|VITE|REACT_APP|EXPO_PUBLIC|GATSBY|VUE_APP|NG_APP|STORYBOOK)_/;

/** What makes a `key` a credential, and what makes it something else. */
const CREDENTIAL_KEYS = new Set(
  (
    "api access secret private app application admin auth master encryption encrypt signing license account " +
    "storage subscription shared service role client server consumer integration write read webhook bot ssh root session"
  ).split(" "),
);
const OTHER_KEYS = new Set(
  "public publishable tag partition sort primary foreign cache project space issue object group hot idempotency".split(
    " ",
  ),
);

/** Words that a name of a credential may end in and still be one. */
const FILLERS = new Set(
  "value val string str text content env var plain raw base64 b64 data header json here".split(" "),
);

/** Words at the end after which a name speaks about a credential, and no longer names one. */
const ABOUT = new Set(
  (
    "id ids path paths file files filename filepath filepaths certfile keyfile dir directory folder location url urls " +
    "uri endpoint endpoints host hostname domain server port name names user username login email account type kind " +
    "mode method methods scheme scope scopes grant ttl expiry expiration expires age seconds minutes hours ms timeout " +
    "limit max min count number size length budget usage region enabled disabled required format algorithm alg issuer " +
    "audience prefix suffix style threshold arn schema version provider source store backend manager policy stdin " +
    "command cmd field param parameter env-file label description strategy audit cert certificate ca interval refresh"
  ).split(" "),
);

/** Words at the beginning of a switch or a number. */
const SWITCHES = new Set(
  "max min num no enable disable use allow require skip is has with without dangerously".split(" "),
);

/** Last words that hint at a credential without saying it. */
const HINTS = new Set(
  "key keys tokens secrets pat auth authn authz authentication credential credentials creds session sessdata sessid phpsessid sig signature sec sk sks api otp pin seed salt hash license phrase".split(
    " ",
  ),
);

const meanings = new Map<string, NameMeaning>();
const MOST_REMEMBERED = 4096;

/** The meaning of the name of a variable, flag, header, parameter or member. */
export function meaningOf(name: string): NameMeaning {
  const known = meanings.get(name);
  if (known !== undefined) return known;
  const meaning = name.length > 200 || isPublicName(name) ? "none" : judge(wordsOf(name));
  if (meanings.size >= MOST_REMEMBERED) meanings.clear();
  meanings.set(name, meaning);
  return meaning;
}

/** True where what stands under the name is public by design, whatever it is called. */
export function isPublicName(name: string): boolean {
  return PUBLIC_NAME.test(name);
}

/** True where the name says that its value is something else: an id, a path, a version. */
export function describes(name: string): boolean {
  if (isPublicName(name)) return true;
  const last = wordsOf(name.slice(-200)).at(-1) ?? "";
  return ABOUT.has(last) || /^(?:hash|commit|digest|checksum|model|project|workspace|address|public|key)$/.test(last);
}

/** True where the name says that it is what somebody logs in with, or how. */
export function namesAuth(name: string): boolean {
  const last = wordsOf(name.slice(-200)).at(-1) ?? "";
  return /^auth(?:n|z|entication)?$/.test(last) && !isPublicName(name);
}

/** The kind of a finding under a name. */
export function kindOf(name: string): string {
  const words = wordsOf(name);
  const has = (...some: string[]) => some.some((word) => words.includes(word));
  if (hasPassword(words) || isServerAuth(words)) return "password";
  if (has("private", "privatekey")) return "private-key";
  if (has("cookie", "cookies", "session", "sessdata")) return "cookie";
  if (has("mnemonic", "phrase", "seed")) return "seed-phrase";
  if (has("key", "keys", "apikey")) return "api-key";
  return has("secret") ? "secret" : "token";
}

function judge(all: readonly string[]): NameMeaning {
  const words = withoutFillers(all);
  const last = words.at(-1);
  if (last === undefined) return "none";
  if (isAwsKeyId(words)) return "token";
  if (ABOUT.has(last)) return "none";
  if (hasPassword(words) || isServerAuth(words)) return SWITCHES.has(words[0] ?? "") ? "none" : "password";
  if (SWITCHES.has(words[0] ?? "")) return "none";
  if (isPhrase(words)) return "password";
  if (words.some(isToken)) return "token";
  if (last === "key") return keyMeaning(words);
  if (last === "pat" || (last === "header" && words.includes("auth"))) return "token";
  if (words.includes("auth") && all.at(-1) === "header") return "token";
  return HINTS.has(last) ? "maybe" : "none";
}

function withoutFillers(all: readonly string[]): readonly string[] {
  let end = all.length;
  while (end > 1 && (FILLERS.has(all[end - 1] ?? "") || /^\d+$/.test(all[end - 1] ?? ""))) end -= 1;
  return all.slice(0, end);
}

function hasPassword(words: readonly string[]): boolean {
  return words.some((word, index) => isPassword(word) && !(word === "pass" && VERB.has(words[index + 1] ?? "")));
}

function isPassword(word: string): boolean {
  if (PASSWORD.has(word) || word.endsWith("password") || word.endsWith("passwd")) return true;
  return SHORT_ENDING.test(word) && !NO_PASSWORD.test(word);
}

/** What Redis calls AUTH takes a password alone. */
function isServerAuth(words: readonly string[]): boolean {
  return words.at(-1) === "auth" && /redis|valkey|keydb/.test(words.at(-2) ?? "");
}

function isToken(word: string): boolean {
  return TOKEN.has(word) || ENDINGS.some((ending) => word.length > ending.length && word.endsWith(ending));
}

function keyMeaning(words: readonly string[]): NameMeaning {
  const before = words.slice(0, -1);
  if (before.some((word) => OTHER_KEYS.has(word))) return "none";
  const last = before.at(-1) ?? "";
  return CREDENTIAL_KEYS.has(last) || last.endsWith("api") ? "token" : "maybe";
}

/** The words of a wallet: a secret that a machine made and a person reads. */
function isPhrase(words: readonly string[]): boolean {
  return words.at(-1) === "phrase" && words.some((word) => ["seed", "recovery", "secret", "mnemonic"].includes(word));
}

/** AWS calls the first half of the pair an id; who has it and a leak of the other half has everything. */
function isAwsKeyId(words: readonly string[]): boolean {
  return words.includes("aws") && words.slice(-3).join(" ") === "access key id";
}
