import { isPlaceholder } from "./placeholders.ts";

/** Every value of a format holds such a run; most texts do not. */
const LONG_RUN = /[\w-]{14}/;

/** A format that a vendor documents, or that its tokens show. */
interface Format {
  readonly kind: string;
  /** A text that every value of the format holds: looked for before the pattern is tried. */
  readonly sign: string;
  readonly pattern: RegExp;
}

export interface FormatMatch {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

/** Facts about formats, after the vendors' documentation and the public rule sets of scanners (gitleaks, secretlint). */
const formats: readonly Format[] = [
  ...prefixed("github-token", "[A-Za-z0-9]{30,255}", "ghp_ gho_ ghu_ ghs_ ghr_"),
  ...prefixed("github-token", "\\w{22,255}", "github_pat_"),
  ...prefixed("gitlab-token", "[\\w-]{20,255}", "glpat- gldt- glrt- glptt- glft- glsoat- glcbt- glimt- glagent-"),
  ...prefixed("anthropic-key", "[\\w-]{20,255}", "sk-ant-"),
  ...prefixed("openrouter-key", "[0-9a-f]{32,64}", "sk-or-v1-"),
  ...prefixed("openai-key", "[\\w-]{20,255}", "sk-proj- sk-svcacct- sk-admin-"),
  ...prefixed("langfuse-key", "[0-9a-f-]{36}", "sk-lf-"),
  ...prefixed("aws-access-key", "[A-Z0-9]{16}", "AKIA ASIA"),
  ...prefixed("google-api-key", "[\\w-]{35}", "AIza"),
  ...prefixed("google-client-secret", "[\\w-]{20,}", "GOCSPX-"),
  ...prefixed("google-token", "[\\w-]{20,}", "ya29."),
  ...prefixed("slack-token", "[\\w-]{10,255}", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxc- xoxd- xapp-"),
  ...prefixed("stripe-key", "[A-Za-z0-9]{16,255}", "sk_live_ sk_test_ rk_live_ rk_test_ sk_prod_ whsec_"),
  ...prefixed("huggingface-token", "[A-Za-z0-9]{30,64}", "hf_"),
  ...prefixed("replicate-token", "[A-Za-z0-9]{30,64}", "r8_"),
  ...prefixed("shopify-token", "[A-Za-z0-9]{32}", "shpat_ shpss_ shpca_ shppa_"),
  ...prefixed("digitalocean-token", "[0-9a-f]{64}", "dop_v1_ doo_v1_ dor_v1_"),
  ...prefixed("npm-token", "[A-Za-z0-9]{36}", "npm_"),
  ...prefixed("pypi-token", "[\\w-]{50,255}", "pypi-"),
  ...prefixed("docker-token", "[\\w-]{20,64}", "dckr_pat_ dckr_oat_"),
  ...prefixed("sentry-token", "[\\w=+/-]{40,255}", "sntrys_ sntryu_"),
  ...prefixed("supabase-token", "[0-9a-f]{40}", "sbp_"),
  ...prefixed("supabase-key", "[\\w-]{20,64}", "sb_secret_"),
  ...prefixed("tavily-key", "[\\w-]{20,64}", "tvly-"),
  ...prefixed("perplexity-key", "[A-Za-z0-9]{40,64}", "pplx-"),
  ...prefixed("firecrawl-key", "[0-9a-f]{32}", "fc-"),
  ...prefixed("postman-key", "[0-9a-f-]{40,80}", "PMAK-"),
  ...prefixed("pinecone-key", "\\w{40,255}", "pcsk_"),
  ...prefixed("neon-key", "[a-z0-9]{40,80}", "napi_"),
  ...prefixed("notion-token", "[A-Za-z0-9]{40,64}", "ntn_ secret_"),
  ...prefixed("linear-key", "[A-Za-z0-9]{32,64}", "lin_api_ lin_oauth_"),
  ...prefixed("figma-token", "[\\w-]{30,64}", "figd_"),
  ...prefixed("grafana-token", "[\\w=+/-]{30,255}", "glsa_ glc_"),
  ...prefixed("nvidia-key", "[\\w-]{40,80}", "nvapi-"),
  ...prefixed("xai-key", "[A-Za-z0-9]{40,120}", "xai-"),
  ...prefixed("groq-key", "[A-Za-z0-9]{40,64}", "gsk_"),
  ...prefixed("sendgrid-key", "[\\w-]{16,32}\\.[\\w-]{30,64}", "SG."),
  ...prefixed("brevo-key", "[0-9a-f]{64}-[A-Za-z0-9]{16}", "xkeysib-"),
  ...prefixed("mailgun-key", "[0-9a-f]{32}", "key-"),
  ...prefixed("sonar-token", "[0-9a-f]{40}", "squ_ sqp_ sqa_"),
  ...prefixed("atlassian-token", "[\\w=+/-]{60,255}", "ATATT3xFfGF0 ATCTT3xFfGN0 ATBB"),
  ...prefixed("databricks-token", "[0-9a-f]{32}(?:-\\d)?", "dapi"),
  ...prefixed("facebook-token", "[A-Za-z0-9]{60,255}", "EAA"),
  ...prefixed("fly-token", "[\\w,=+/-]{40,1000}", "FlyV1 fm2_ FlyV1 fm1r_ fm2_"),
  ...prefixed("astra-token", "[A-Za-z0-9]{20,32}:[0-9a-f]{64}", "AstraCS:"),
  ...prefixed("vault-token", "[\\w-]{20,255}", "hvs. hvb. hvr."),
  ...prefixed("doppler-token", "[A-Za-z0-9]{40,44}", "dp.pt. dp.st. dp.ct. dp.sa."),
  ...prefixed("planetscale-token", "[\\w.-]{32,64}", "pscale_tkn_ pscale_oauth_ pscale_pw_"),
  ...prefixed("newrelic-key", "[A-Za-z0-9]{27,64}", "NRAK-"),
  ...prefixed("dynatrace-token", "[A-Z0-9]{24}\\.[A-Z0-9]{64}", "dt0c01."),
  ...prefixed("age-key", "[A-Z0-9]{40,64}", "AGE-SECRET-KEY-1"),
  ...prefixed("apify-token", "[A-Za-z0-9]{30,64}", "apify_api_"),
  ...prefixed("airtable-token", "[A-Za-z0-9]{14}\\.[0-9a-f]{64}", "pat"),
  ...prefixed("square-token", "[\\w-]{22,64}", "sq0atp- sq0csp- EAAA"),
  ...prefixed("mapbox-token", "[\\w-]{20,255}\\.[\\w-]{20,64}", "sk.ey"),
  ...prefixed("api-key", "[A-Za-z0-9]{16,255}", "sk- sk_ rk_ ak_ api_key_ apikey_"),
  { kind: "jwt", sign: "eyJ", pattern: bounded("eyJ[\\w-]{10,4000}\\.eyJ[\\w-]{10,8000}\\.[\\w-]{10,2000}") },
  { kind: "terraform-token", sign: ".atlasv1.", pattern: bounded("[A-Za-z0-9]{14}\\.atlasv1\\.[\\w=-]{60,80}") },
  { kind: "azure-secret", sign: "Q~", pattern: bounded("[\\w~.-]{3}\\dQ~[\\w~.-]{31,34}") },
  { kind: "telegram-token", sign: ":AA", pattern: bounded("\\d{8,10}:AA[\\w-]{32,34}") },
  { kind: "service-account", sign: "eyJ0eXBlIjoi", pattern: bounded("eyJ0eXBlIjoi[A-Za-z0-9+/]{100,8000}={0,2}") },
  { kind: "private-key", sign: "PRIVATE KEY", pattern: /-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----/g },
  { kind: "api-key", sign: "_live_", pattern: bounded("[a-z]{2,12}_live_[A-Za-z0-9]{16,255}") },
];

/** Webhooks: the address is the secret. The path after the sign is what must not be seen. */
const HOOKS: readonly RegExp[] = [
  /hooks\.slack\.com\/(?:services|workflows)\/([\w/-]{20,200})/,
  /discord(?:app)?\.com\/api\/webhooks\/([\w/-]{20,200})/,
  /webhook\.office\.com\/webhookb2\/([\w@/-]{20,300})/,
  /hooks\.zapier\.com\/hooks\/catch\/([\w/]{6,100})/,
  /mcp\.zapier\.com\/api\/mcp\/s\/([\w-]{16,200})/,
  /api\.telegram\.org\/bot(\d{8,10}:[\w-]{30,40})/,
];

/** The values of known formats in `text`, those of the more telling format first. */
export function findFormats(text: string): readonly FormatMatch[] {
  if (!LONG_RUN.test(text) && !text.includes("-----BEGIN")) return [];
  return formats.flatMap(({ kind, sign, pattern }) => (text.includes(sign) ? matches(text, kind, pattern) : []));
}

function matches(text: string, kind: string, pattern: RegExp): readonly FormatMatch[] {
  return [...text.matchAll(pattern)]
    .filter(([match]) => isGenuine(kind, match))
    .map(({ 0: match, index }) => ({
      kind,
      start: index,
      end: kind === "private-key" ? endOfPem(text, index) : index + match.length,
    }));
}

/** The secret part of the address of a webhook. */
export function findHook(text: string): FormatMatch | undefined {
  for (const hook of HOOKS) {
    const match = hook.exec(text);
    const secret = match?.[1];
    if (match === null || secret === undefined || !isRandom(secret)) continue;
    const end = match.index + match[0].length;
    return { kind: "webhook", start: end - secret.length, end };
  }
  return undefined;
}

/** True where a run of letters and digits is nothing that a person would write. */
export function isRandom(text: string): boolean {
  for (const [run] of text.matchAll(/[A-Za-z0-9]{8,}/g)) {
    const digits = run.replaceAll(/\D/g, "").length;
    const changes = run.match(/[a-z][A-Z]|[A-Za-z]\d|\d[A-Za-z]/g)?.length ?? 0;
    if (new Set(run).size >= 6 && (digits >= 2 || changes >= 3) && changes >= 2) return true;
  }
  return false;
}

/** A prefix that anybody uses needs a random rest; a vendor's own must only not be masked. */
function isGenuine(kind: string, match: string): boolean {
  if (kind === "private-key") return true;
  return kind === "api-key" ? isRandom(match) : new Set(match).size >= 10 && !isPlaceholder(match);
}

function prefixed(kind: string, body: string, prefixes: string): Format[] {
  // `FlyV1 fm2_` holds a blank: a prefix ends before the next one begins.
  return prefixes
    .replaceAll("FlyV1 ", "FlyV1\u0000")
    .split(" ")
    .map((prefix) => prefix.replaceAll("\u0000", " "))
    .map((sign) => ({ kind, sign, pattern: bounded(escape(sign) + body) }));
}

function bounded(body: string): RegExp {
  return new RegExp(`(?<![A-Za-z0-9_])${body}(?![A-Za-z0-9])`, "g");
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function endOfPem(text: string, start: number): number {
  const end = /-----END [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----/.exec(text.slice(start));
  return end === null ? text.length : start + end.index + end[0].length;
}
