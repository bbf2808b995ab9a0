import type { Verdict } from "../../target.ts";
import { type Contract, type Json, memberAt, textAt } from "./contract.ts";

/** Slack answers 200 to everything: whether all is well stands in `ok`, and why not in `error`. */
const errorIn = (answer: Json) => {
  if (memberAt(answer, ["ok"]) === true) return undefined;
  const error = textAt(answer, ["error"]) ?? "no_error";
  return /^[a-z_]{1,60}$/.test(error) ? error : "another_error";
};

/** Its own troubles, upon which nobody knows how far it came. */
const TROUBLES: ReadonlySet<string> = new Set(["fatal_error", "internal_error", "request_timeout", "no_error"]);

/** The token was judged, and is none. */
const REJECTIONS: ReadonlySet<string> = new Set([
  "invalid_auth",
  "not_authed",
  "token_expired",
  "token_revoked",
  "account_inactive",
]);

/**
 * An app configuration token ends after 12 hours; its refresh token can be used once, and gives the next pair. What is
 * presented after that is refused, so that a pair whose answer was lost cannot be had again.
 */
export const slackConfig: Contract = {
  title: "Slack app configuration token",
  class: "X",
  source: "https://docs.slack.dev/reference/methods/tooling.tokens.rotate",
  right: "none but the refresh token itself",
  origin: "https://slack.com",
  settings: {},
  manager: "itself",
  auth: (credential) => ({ authorization: `Bearer ${credential["token"]?.expose() ?? ""}` }),
  mint: {
    method: "POST",
    path: "/api/tooling.tokens.rotate",
    by: "itself",
    headers: () => ({}),
    body: ({ credential }) => ({
      type: "form",
      value: { refresh_token: credential["refresh_token"]?.expose() ?? "" },
    }),
  },
  fields: { token: ["token"], refresh_token: ["refresh_token"] },
  failed: (answer) => {
    const what = errorIn(answer);
    return what === undefined ? undefined : { what, maybe: TROUBLES.has(what) };
  },
  // It looks at a manifest and changes nothing; that the manifest is none does not matter.
  test: {
    method: "POST",
    path: "/api/apps.manifest.validate",
    by: "itself",
    body: () => ({ type: "form", value: { manifest: "{}" } }),
  },
  judge: (status, answer): Verdict | undefined => {
    if (status !== 200) return undefined;
    const error = errorIn(answer);
    if (error === undefined || error === "invalid_manifest") return { type: "valid" };
    return REJECTIONS.has(error) ? { type: "rejected" } : { type: "unreachable", reason: error };
  },
  reuseRevokes: true,
  whenLost:
    "generate a new pair at https://api.slack.com/apps under Your App Configuration Tokens, and store both fields with mcp-secrets set",
};
