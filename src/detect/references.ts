import { wordsOf } from "./words.ts";

/**
 * Schemes under which other tools keep a secret elsewhere: 1Password, Vault, Bitwarden, Azure, AWS and Google secret
 * managers, Doppler, Infisical, keyrings, SOPS, Docker and Kubernetes secrets, dotenv and VS Code.
 */
const SCHEMES =
  /^(?:op|vault|bws|bitwarden|azkv|akv|azure-?kv|keyvault|doppler|infisical|keychain|keyring|secret-?service|aws-?ssm|aws-?sm|awssm|ssm|secretsmanager|gcp-?sm|gcpsm|gsm|sm|berglas|sops|age|pass|gopass|lastpass|1password|chamber|consul|k8s|kubernetes|docker-?secret|secret|secrets|secret-?refs?|mcp-secrets?|env|dotenv|input|config|file|ref|conjur|akeyless|arn|ejson|credstash|keeper|dashlane|protonpass|cyberark):(?=\S)/i;

/** Whole values that are put in by a shell, a client, a template or a build tool. */
const WHOLE: readonly RegExp[] = [
  /^\$\{[^{}]*\}$/,
  /^\$\{\{.*\}\}$/,
  /^\$\([^)]*\)$/,
  /^\$[A-Z_][A-Z0-9_]*$/,
  /^%[A-Za-z_][A-Za-z0-9_]*%$/,
  /^\{\{.*\}\}$/,
  /^\{\w+:[^{}]*\}$/,
  /^<%.*%>$/,
  /^`.*`$/,
  /^@\w+:[\w.-]+$/,
  /^!\w+ \S+$/,
  /^ENC\[.*\]$/,
  /^ENC\(.*\)$/,
  /^(?:process\.env|import\.meta\.env|os\.environ|os\.getenv|System\.getenv|ENV|env)[.[(]/,
  /^projects\/[^/]+\/secrets\/[^/]+/,
  /^\/(?:run|var\/run|etc|mnt|kaniko)\/secrets?(?:-store)?\/\S+$/,
  /^\$env:\w+$/i,
];

/** True where the value only points at a secret. */
export function isReference(value: string): boolean {
  const text = value.trim();
  if (text.length > 4096) return false;
  if (SCHEMES.test(text) || WHOLE.some((form) => form.test(text))) return true;
  return /\$\{[A-Za-z_][^{}]*\}/.test(text) || isShellName(text);
}

/** `$api_key` is a variable; `$ummer2024` is a password. */
function isShellName(text: string): boolean {
  if (!/^\$[a-z_]+$/.test(text)) return false;
  return text.includes("_") || ["token", "key", "secret", "password", "apikey"].includes(wordsOf(text)[0] ?? "");
}
