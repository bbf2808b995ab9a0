/**
 * Vendors whose keys a person makes in a browser, and how to ask whether a key is known to them: a GET that reads
 * nothing of interest and costs nothing. 401 says that it is not.
 *
 * Only pages and calls that their documentation names; what is missing here is set with `page` and `check`.
 */
export interface Vendor {
  readonly name: string;
  readonly page: string;
  /** What to look for on the page. */
  readonly how: string;
  readonly check?: KeyCheck;
  /** Of a value, as `detect` names its format. */
  readonly kind?: string;
}

export interface KeyCheck {
  readonly url: string;
  /** The header that carries the key, and what stands before it. */
  readonly header: string;
  readonly prefix: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const bearer = (url: string): KeyCheck => ({ url, header: "authorization", prefix: "Bearer " });

export const VENDORS: Readonly<Record<string, Vendor>> = {
  anthropic: {
    name: "Anthropic",
    kind: "anthropic-key",
    page: "https://console.anthropic.com/settings/keys",
    how: "create a key in the same workspace",
    // docs.anthropic.com: API reference, "Models: list", "Authentication".
    check: {
      url: "https://api.anthropic.com/v1/models",
      header: "x-api-key",
      prefix: "",
      headers: { "anthropic-version": "2023-06-01" },
    },
  },
  atlassian: {
    name: "Atlassian",
    kind: "atlassian-token",
    page: "https://id.atlassian.com/manage-profile/security/api-tokens",
    how: "create an API token with the same scopes",
  },
  cloudflare: {
    name: "Cloudflare",
    page: "https://dash.cloudflare.com/profile/api-tokens",
    how: "create a token with the same permissions; Roll would end the old one at once",
  },
  digitalocean: {
    name: "DigitalOcean",
    kind: "digitalocean-token",
    page: "https://cloud.digitalocean.com/account/api/tokens",
    how: "generate a token with the same scopes",
    // docs.digitalocean.com/reference/api: "Get User Information".
    check: bearer("https://api.digitalocean.com/v2/account"),
  },
  github: {
    name: "GitHub",
    kind: "github-token",
    page: "https://github.com/settings/tokens",
    how: "make a token of the same kind (classic or fine-grained) with the same scopes; Regenerate ends the old one at once",
    // docs.github.com/rest/users/users: "Get the authenticated user".
    check: { ...bearer("https://api.github.com/user"), headers: { "user-agent": "mcp-secrets" } },
  },
  "google-cloud": {
    name: "Google Cloud",
    kind: "google-api-key",
    page: "https://console.cloud.google.com/apis/credentials",
    how: "create an API key in the same project with the same restrictions",
  },
  "hugging-face": {
    name: "Hugging Face",
    kind: "huggingface-token",
    page: "https://huggingface.co/settings/tokens",
    how: "create a token of the same type",
    // huggingface.co/docs/hub/api: "whoami-v2".
    check: bearer("https://huggingface.co/api/whoami-v2"),
  },
  notion: {
    name: "Notion",
    kind: "notion-token",
    page: "https://www.notion.so/my-integrations",
    how: "show the integration's secret and refresh it, which ends the old one at once",
  },
  openai: {
    name: "OpenAI",
    kind: "openai-key",
    page: "https://platform.openai.com/api-keys",
    how: "create a secret key in the same project with the same permissions",
    // platform.openai.com/docs/api-reference: "List models".
    check: bearer("https://api.openai.com/v1/models"),
  },
  sentry: {
    name: "Sentry",
    kind: "sentry-token",
    page: "https://sentry.io/settings/account/api/auth-tokens/",
    how: "create a token with the same scopes",
  },
  slack: {
    name: "Slack",
    kind: "slack-token",
    page: "https://api.slack.com/apps",
    how: "open the app, OAuth & Permissions, and install it to the workspace again",
  },
  stripe: {
    name: "Stripe",
    kind: "stripe-key",
    page: "https://dashboard.stripe.com/apikeys",
    how: "roll the key, and choose when the old one expires: not now",
    // docs.stripe.com/api: "Retrieve balance", "Authentication"; a restricted key may get 403, and is known then.
    check: bearer("https://api.stripe.com/v1/balance"),
  },
};

/** The vendor that a value of this format is of, where its page is known. */
export function vendorOf(kind: string): Vendor | undefined {
  return Object.values(VENDORS).find((vendor) => vendor.kind === kind);
}
